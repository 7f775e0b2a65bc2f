"""What a command ends with when it can't do what it was asked."""

FAILED = 1
USAGE = 2


class CliError(Exception):
    """A sentence for the operator, and what helps."""

    def __init__(self, message: str, hint: str = "", status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        """The process's exit code."""

    @property
    def text(self) -> str:
        """For stderr."""
        return f"wavigil: {self.message}" + (f"\n  {self.hint}" if self.hint else "")
