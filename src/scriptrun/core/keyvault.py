"""``Keyvault``: a workspace's named secrets, as the SDK v1 gives them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from scriptrun.registry.workspace_files import Home
from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault
from scriptrun.store.secrets.vault import known
from scriptrun.tracking import masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Keyvault:
    """This user's secrets for ``workspace`` on this machine.

    What is set here is for this workspace alone, so that another one may have another value under
    the same name. What it lacks is looked for among the user's secrets for all workspaces, which
    ``scriptrun secret`` keeps.
    A value is in the system's key store or in an encrypted file that only its owner may read, or in
    a variable (``SCRIPTRUN_SECRET_<NAME>``); it is written nowhere else.
    """

    def __init__(self, workspace: Home) -> None:
        self.workspace = workspace

    def get_secret(self, name: str) -> str:
        """The value. Raises SecretException, which says where it was looked for.

        In a job it is masked in what the job prints (stars; values of four characters and more).
        """
        with self._its_own():
            value = vault.find(name)
        masking.hide(value)
        return value

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """The values by name; None for one that is not there, as the SDK v1 has it."""
        with self._its_own():
            there = {name: known(name) for name in secrets}
        return {
            name: self.get_secret(name) if is_there else None for name, is_there in there.items()
        }

    def set_secret(self, name: str, value: str, content_type: str | None = None) -> None:
        """Keep a secret for this workspace. Raises SecretException for a value that is no text."""
        if not isinstance(value, str):
            raise SecretException(
                f"Secret {name!r} must be a string, not {type(value).__name__}.",
                "Convert it with str(value) or json.dumps(value).",
            )
        vault.keep(vault.owned(self.workspace.id, name), value)

    def set_secrets(self, secrets_batch: Mapping[str, str] | Iterable[Any]) -> None:
        """Keep several secrets for this workspace: a dict, or pairs of name and value."""
        for name, value in dict(secrets_batch).items():
            self.set_secret(name, value)

    def list_secrets(self) -> list[dict[str, str]]:
        """The names of this workspace's own, each in a dict as v1 gives them; no values."""
        return [{"name": name} for name in vault.names(self.workspace.id)]

    def delete_secret(self, name: str) -> None:
        """Forget a secret of this workspace; nothing happens where it has none of that name."""
        vault.forget(vault.owned(self.workspace.id, name))

    def delete_secrets(self, secrets: Iterable[str]) -> None:
        """Forget several secrets of this workspace."""
        for name in secrets:
            self.delete_secret(name)

    def get_secret_content_type(self, name: str) -> tuple[str, str | None]:
        """The value, and None: what kind of text it is isn't kept."""
        return self.get_secret(name), None

    def _its_own(self) -> AbstractContextManager[None]:
        return vault.of_workspace(self.workspace.id)
