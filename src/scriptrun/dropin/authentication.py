"""``azureml.core.authentication``: logins to Azure are accepted, explained once, and not used."""

from __future__ import annotations

from enum import Enum

from scriptrun.dropin import notes
from scriptrun.spec.hints import Any


class Audience(Enum):
    """What a token is for."""

    ARM = "ARM"
    AZUREML = "AZUREML"


class AbstractAuthentication:
    """A login that nobody asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        notes.cloud()

    def get_authentication_header(self) -> dict[str, str]:
        """An empty dict: nothing here wants a token."""
        return {}

    def get_token(self, *scopes: Any, **kwargs: Any) -> Any:
        """There is no token to get."""
        raise NotImplementedError("scriptrun logs in nowhere, so there is no token of Azure.")

    signed_session = get_token


class ArmTokenAuthentication(AbstractAuthentication):
    """By a token."""

    def update_arm_access_token(self, new_arm_access_token: str) -> None:
        """Accepted: nothing here wants a token."""


class AzureCliAuthentication(AbstractAuthentication):
    """By the Azure command line."""


class AzureMLTokenAuthentication(AbstractAuthentication):
    """By the token of a run."""

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> AzureMLTokenAuthentication:
        """A login that nobody asks for."""
        return cls()

    def set_token(self, *args: Any, **kwargs: Any) -> None:
        """Accepted: nothing here wants a token."""


class InteractiveLoginAuthentication(AbstractAuthentication):
    """By a browser."""


class MsiAuthentication(AbstractAuthentication):
    """By a managed identity."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """By a service principal."""


class TokenAuthentication(AbstractAuthentication):
    """By tokens that a function gives."""
