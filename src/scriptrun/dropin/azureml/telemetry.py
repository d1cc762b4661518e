"""``azureml.telemetry``: nothing is ever collected."""

from __future__ import annotations


def set_diagnostics_collection(send_diagnostics: bool = True, verbosity: object = None) -> None:
    """Accepted and of no effect: scriptrun sends nothing anywhere."""


class UserType:
    """Kinds of users; of no effect."""

    EXTERNAL_USER = "ExternalUser"
