"""What goes wrong with embedded servers, in words that say what to do."""


class EmbeddedError(Exception):
    """An embedded server cannot be prepared or started; `hint` says what a person can do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message
