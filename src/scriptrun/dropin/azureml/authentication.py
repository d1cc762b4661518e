"""``azureml.core.authentication``: logins to Azure are accepted, noted once and ignored."""

from __future__ import annotations

import datetime
from collections import namedtuple
from enum import Enum

from scriptrun.dropin import one_time_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Audience(Enum):
    """What a token is for."""

    ARM = "ARM"
    AZUREML = "AZUREML"


class AccessToken(namedtuple("AccessToken", "token expires_on")):
    """A token and the time at which it expires, in seconds."""

    token: str
    expires_on: int


_NEVER = 253402300799  # the last second of the year 9999


class AbstractAuthentication:
    """A login; it is ignored."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        one_time_notes.cloud()

    def get_authentication_header(self) -> dict[str, str]:
        """Return an empty dict: no header is needed."""
        return {}

    def get_token(self, *scopes: object, **kwargs: object) -> AccessToken:
        """Return an empty token: none is needed, and Azure would reject it."""
        return AccessToken("", _NEVER)

    def signed_session(self, session: object = None) -> NoReturn:
        """Raise NotImplementedError: there is no login to sign with."""
        raise NotImplementedError("scriptrun does not log in to Azure, so it cannot sign sessions.")


class ArmTokenAuthentication(AbstractAuthentication):
    """Login with a token."""

    def update_arm_access_token(self, new_arm_access_token: str) -> None:
        """Accept and ignore a token."""


class AzureCliAuthentication(AbstractAuthentication):
    """Login with the Azure command line."""


class AzureMLTokenAuthentication(AbstractAuthentication):
    """Login with the token of a run."""

    EXPIRATION_THRESHOLD_IN_SECONDS = 95
    REFRESH_INTERVAL_IN_SECONDS = 30

    @property
    def token(self) -> str:
        """An empty token: none is needed."""
        return ""

    @property
    def expiry_time(self) -> datetime.datetime:
        """When the token expires: never."""
        return datetime.datetime.fromtimestamp(_NEVER, datetime.UTC)

    @classmethod
    def create(cls, *args: object, **kwargs: object) -> AzureMLTokenAuthentication:
        """Return a login; the arguments are ignored."""
        return cls()

    def set_token(self, *args: object, **kwargs: object) -> None:
        """Accept and ignore a token."""


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Login in a browser."""


class MsiAuthentication(AbstractAuthentication):
    """Login with a managed identity."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """Login with a service principal."""


class TokenAuthentication(AbstractAuthentication):
    """Login with tokens that a function returns."""
