"""``Keyvault``: this user's named secrets, as the SDK v1 gives them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scriptrun.home import Home
from scriptrun.spec.errors import SecretException
from scriptrun.spec.hints import Any
from scriptrun.store import secrets
from scriptrun.store.secrets import known
from scriptrun.tracking import masking


class Keyvault:
    """The secrets that ``scriptrun secret`` keeps: this user's on this machine, not a workspace's.

    A value is in the system's key store or in an encrypted file that only its owner may read, or in
    a variable (``SCRIPTRUN_SECRET_<NAME>``); it is written nowhere else.
    """

    def __init__(self, workspace: Home) -> None:
        self.workspace = workspace

    def get_secret(self, name: str) -> str:
        """The value. Raises SecretException, which says where it was looked for.

        In a job it is masked in what the job prints (stars; values of four characters and more).
        """
        value = secrets.find(name)
        masking.hide(value)
        return value

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """The values by name; None for one that is not there, as the SDK v1 has it."""
        return {name: self.get_secret(name) if known(name) else None for name in secrets}

    def set_secret(self, name: str, value: str, content_type: str | None = None) -> None:
        """Keep a secret for this user. Raises SecretException for a value that is no text."""
        if not isinstance(value, str):
            raise SecretException(
                f"The secret {name!r} is a {type(value).__name__}, and secrets are texts.",
                "Write it as one: str(value), or json.dumps(value).",
            )
        secrets.keep(name, value)

    def set_secrets(self, secrets_batch: Mapping[str, str] | Iterable[Any]) -> None:
        """Keep several secrets for this user: a dict, or pairs of name and value."""
        for name, value in dict(secrets_batch).items():
            self.set_secret(name, value)

    def list_secrets(self) -> list[dict[str, str]]:
        """The names, each in a dict as v1 gives them; no values."""
        return [{"name": name} for name in secrets.names()]

    def delete_secret(self, name: str) -> None:
        """Forget a secret; nothing happens where there is none."""
        secrets.forget(name)

    def delete_secrets(self, secrets: Iterable[str]) -> None:
        """Forget several secrets."""
        for name in secrets:
            self.delete_secret(name)

    def get_secret_content_type(self, name: str) -> tuple[str, str | None]:
        """The value, and None: what kind of text it is isn't kept."""
        return self.get_secret(name), None
