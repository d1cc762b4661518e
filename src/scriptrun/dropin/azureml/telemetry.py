"""``azureml.telemetry``: nothing is ever collected."""

from __future__ import annotations


def set_diagnostics_collection(send_diagnostics: bool = True, verbosity: object = None) -> None:
    """Do nothing: scriptrun sends no telemetry."""


class UserType:
    """Kinds of users; they have no effect."""

    EXTERNAL_USER = "ExternalUser"
