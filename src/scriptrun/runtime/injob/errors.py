"""The errors that a script may meet: a sentence, and a hint that says what to do (Python 3.6+)."""


class ScriptrunError(Exception):
    """Base of all errors raised on purpose.

    ``message`` is one or more sentences; ``hint`` says what to do, or is empty. ``exit_code`` is
    what the command line ends with. ``exception_message`` is the SDK v1's name of ``message``.
    """

    exit_code = 2

    def __init__(self, message: str = "", hint: str = "", exception_message: str = "") -> None:
        message = message or exception_message
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "{}\n  {}".format(self.message, self.hint) if self.hint else self.message

    def print_stacktrace(self) -> None:
        """Print where it was raised, as the SDK v1's errors do."""
        import traceback  # loaded only when something has gone wrong

        traceback.print_tb(self.__traceback__)


class UserErrorException(ScriptrunError):
    """What the user asked for cannot be done as asked."""


class RunEnvironmentException(UserErrorException):
    """A run was asked for outside any job."""
