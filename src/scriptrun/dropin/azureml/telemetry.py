"""``azureml.telemetry``: nothing is ever collected."""

from __future__ import annotations

import logging


def set_diagnostics_collection(send_diagnostics: bool = True, verbosity: object = None) -> None:
    """Do nothing: scriptrun sends no telemetry."""


#: no service receives anything
INSTRUMENTATION_KEY = ""


def get_telemetry_log_handler(*args: object, **kwargs: object) -> logging.Handler:
    """A handler that drops its records."""
    return logging.NullHandler()


class UserType:
    """Kinds of users; they have no effect."""

    EXTERNAL_USER = "ExternalUser"
