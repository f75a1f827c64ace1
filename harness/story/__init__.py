"""Stories: a run told to a person. What belongs here reads a Run; nothing here runs one."""
