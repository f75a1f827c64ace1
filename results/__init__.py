"""What a run leaves behind: record types, the folder that keeps them, their comparison, texts for people.

The lowest package: it imports nothing of ours, and no word of payments is in it. Rows come in as the
dataclasses of `record.py`, texts are made of those of `summary.py` and `story.py`; nothing here looks at a
live world.
"""
