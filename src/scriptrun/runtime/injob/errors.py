"""The errors that a script may see: a message, and a hint on what to do (Python 3.6+)."""

#: control characters but tab and newline, and those that reorder text, as escapes: a terminal would
#: act on them
CONTROL_ESCAPES = {
    code: ("\\x%02x" if code < 256 else "\\u%04x") % code
    for codes in (range(9), range(11, 32), range(0x7F, 0xA0), (0x061C, 0x200E, 0x200F),
                  range(0x202A, 0x202F), range(0x2066, 0x206A))
    for code in codes
}  # fmt: skip


class ScriptrunError(Exception):
    """Base class of all scriptrun errors.

    ``message`` is one or more sentences; ``hint`` says what to do, or is empty. ``exit_code`` is
    the exit code of the command line. ``exception_message`` is SDK v1's name for ``message``, its
    second argument is ``inner_exception``, and further ones are ignored. ``error_code`` is SDK v1's
    kind of error: ``"UserError"``, else ``"SystemError"``.
    """

    exit_code = 2
    error_code = "SystemError"

    def __init__(
        self,
        message: str = "",
        hint: "str | BaseException | None" = "",
        exception_message: str = "",
        inner_exception: "BaseException | None" = None,
        **kwargs: object,
    ) -> None:
        message = message or exception_message
        super().__init__(message)
        self.message = message
        self.hint = hint if isinstance(hint, str) else ""
        self.inner_exception = hint if isinstance(hint, BaseException) else inner_exception

    def __str__(self) -> str:
        text = "{}\n  {}".format(self.message, self.hint) if self.hint else self.message
        return text.translate(CONTROL_ESCAPES)

    def print_stacktrace(self) -> None:
        """Print the traceback, as SDK v1's errors do."""
        import traceback  # loaded only when something has gone wrong

        traceback.print_tb(self.__traceback__)


class UserErrorException(ScriptrunError):
    """The request is invalid or cannot be carried out."""

    error_code = "UserError"


class RunEnvironmentException(UserErrorException):
    """A run was requested outside any job."""


class WebserviceException(UserErrorException):
    """A service cannot be deployed, is not healthy, or has answered with an error.

    ``status_code`` is the HTTP status of an answer, or None; ``logs`` the end of the service's log,
    or None.
    """

    def __init__(
        self,
        message: str = "",
        status_code: "int | str | BaseException | None" = None,
        logs: "str | None" = None,
        exception_message: str = "",
        inner_exception: "BaseException | None" = None,
        *,
        hint: str = "",
        **kwargs: object,
    ) -> None:
        is_code = isinstance(status_code, int)
        second = hint if is_code or status_code is None else status_code  # as in other errors
        assert not isinstance(second, int)
        super().__init__(message, second, exception_message, inner_exception)
        self.status_code = status_code if isinstance(status_code, int) else None
        self.logs = logs


class ModelNotFoundException(WebserviceException):
    """There is no such model, or no such version of it: SDK v1 has an error of services for it."""
