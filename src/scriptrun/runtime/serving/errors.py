"""What goes wrong in a service, and how it is reported."""


class BadRequest(Exception):
    """The request is wrong, not the service: answered with 400 and ``{"message": ...}``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ServiceError(Exception):
    """The service cannot start or go on; the message is a sentence for the log."""


class Refused(Exception):
    """A client sent bytes that are not a valid request; the server answers and hangs up."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
