"""``azureml.core.authentication``: logins to Azure are accepted, explained once, and not used."""

from __future__ import annotations

from collections import namedtuple
from enum import Enum

from scriptrun.dropin import one_time_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Audience(Enum):
    """What a token is for."""

    ARM = "ARM"
    AZUREML = "AZUREML"


class AccessToken(namedtuple("AccessToken", "token expires_on")):
    """A token and the time at which it ends, in seconds."""

    token: str
    expires_on: int


_NEVER = 253402300799  # the last second of the year 9999


class AbstractAuthentication:
    """A login that nobody asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        one_time_notes.cloud()

    def get_authentication_header(self) -> dict[str, str]:
        """An empty dict: nothing here wants a token."""
        return {}

    def get_token(self, *scopes: Any, **kwargs: Any) -> AccessToken:
        """An empty token: nothing here asks for one, and Azure itself refuses it."""
        return AccessToken("", _NEVER)

    def signed_session(self, session: Any = None) -> Any:
        """There is nothing to sign for."""
        raise NotImplementedError("scriptrun does not log in to Azure, so it cannot sign sessions.")


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
