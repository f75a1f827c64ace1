"""The one error of this package: results that cannot be kept, read or compared."""


class ResultsError(Exception):
    """The text is one line: the value, the rule, the remedy.

    `exit_code` is for the command line: 2 when the user named the wrong thing, 3 when the disk failed.
    """

    def __init__(self, text: str, exit_code: int = 2) -> None:
        super().__init__(text)
        self.exit_code = exit_code
