"""The error that a script of the simulated Redis raises or meets."""


class LuaError(Exception):
    """The text is Redis' own, each byte one latin-1 character."""
