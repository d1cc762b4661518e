"""``azureml.core.authentication``: logins to Azure are accepted, noted once and ignored."""

from __future__ import annotations

from collections import namedtuple
from enum import Enum

from scriptrun.dropin import one_time_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
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

    def __init__(self, cloud: str | None = None, **kwargs: object) -> None:
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

    def __init__(self, arm_access_token: str, cloud: str | None = None) -> None:
        super().__init__(cloud)

    def update_arm_access_token(self, new_arm_access_token: str) -> None:
        """Accept and ignore a token."""


class AzureCliAuthentication(AbstractAuthentication):
    """Login with the Azure command line."""


class AzureMLTokenAuthentication(AbstractAuthentication):
    """Login with the token of a run; the token is kept, and never used."""

    EXPIRATION_THRESHOLD_IN_SECONDS = 95
    REFRESH_INTERVAL_IN_SECONDS = 30

    def __init__(
        self,
        azureml_access_token: str,
        expiry_time: object = None,
        host: str | None = None,
        subscription_id: str | None = None,
        resource_group_name: str | None = None,
        workspace_name: str | None = None,
        experiment_name: str | None = None,
        run_id: str | None = None,
        user_email: str | None = None,
        experiment_id: str | None = None,
        cloud: str = "AzureCloud",
    ) -> None:
        super().__init__(cloud)
        self.set_token(azureml_access_token, expiry_time)

    @classmethod
    def create(
        cls,
        azureml_access_token: str,
        expiry_time: object,
        host: str | None,
        subscription_id: str | None,
        resource_group_name: str | None,
        workspace_name: str | None,
        experiment_name: str | None,
        run_id: str | None,
        user_email: str | None = None,
        experiment_id: str | None = None,
    ) -> AzureMLTokenAuthentication:
        """Return a login with this token; what it is for is ignored."""
        return cls(azureml_access_token, expiry_time)

    def set_token(self, token: str, expiry_time: object) -> None:
        """Replace the token."""
        self._token, self._expiry_time = token, expiry_time

    @property
    def token(self) -> str:
        """The token."""
        return self._token

    @property
    def expiry_time(self) -> object:
        """The time at which the token expires, as it was passed."""
        return self._expiry_time


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Login in a browser."""

    def __init__(
        self, force: bool = False, tenant_id: str | None = None, cloud: str | None = None
    ) -> None:
        super().__init__(cloud)


class MsiAuthentication(AbstractAuthentication):
    """Login with a managed identity."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """Login with a service principal."""

    def __init__(
        self,
        tenant_id: str,
        service_principal_id: str,
        service_principal_password: str,
        cloud: str = "AzureCloud",
        _enable_caching: bool = True,
    ) -> None:
        super().__init__(cloud)


class TokenAuthentication(AbstractAuthentication):
    """Login with tokens that a function returns; the function is never called."""

    def __init__(
        self, get_token_for_audience: Callable[[Audience], str], cloud: str | None = None
    ) -> None:
        super().__init__(cloud)

    def get_token(
        self, audience: object = Audience.ARM, *scopes: object, **kwargs: object
    ) -> AccessToken:
        """Return an empty token: none is needed, and Azure would reject it."""
        return super().get_token(audience)
