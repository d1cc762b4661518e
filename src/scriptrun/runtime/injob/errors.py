"""The errors that a script may see: a message, and a hint on what to do (Python 3.6+)."""


class ScriptrunError(Exception):
    """Base class of all scriptrun errors.

    ``message`` is one or more sentences; ``hint`` says what to do, or is empty. ``exit_code`` is
    the exit code of the command line. ``exception_message`` is SDK v1's name for ``message``.
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
        """Print the traceback, as SDK v1's errors do."""
        import traceback  # loaded only when something has gone wrong

        traceback.print_tb(self.__traceback__)


class UserErrorException(ScriptrunError):
    """The request is invalid or cannot be carried out."""


class RunEnvironmentException(UserErrorException):
    """A run was requested outside any job."""
