"""``Keyvault``: a workspace's named secrets, with the SDK v1's interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault
from scriptrun.store.secrets.vault import exists
from scriptrun.tracking import masking


class Keyvault:
    """This user's secrets for ``workspace`` on this machine.

    Secrets set here belong to this workspace only; another one may have another value under the
    same name. Missing names are looked up among the user's secrets for all workspaces, which
    ``scriptrun secret`` manages.
    A value is stored in the system's keyring or in an encrypted file that only its owner can read,
    or comes from a variable (``SCRIPTRUN_SECRET_<NAME>``); it is written nowhere else.
    """

    def __init__(self, workspace: WorkspaceFiles) -> None:
        self.workspace = workspace

    def get_secret(self, name: str) -> str:
        """The value. Raises SecretException, naming the places searched.

        In a job's output it is masked with stars, if it has four or more characters.
        """
        with self._workspace_secrets():
            value = vault.find(name)
        masking.hide(value)
        return value

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """The values by name; None for a missing secret, as in the SDK v1."""
        with self._workspace_secrets():
            exists_by_name = {name: exists(name) for name in secrets}
        return {
            name: self.get_secret(name) if is_there else None
            for name, is_there in exists_by_name.items()
        }

    def set_secret(self, name: str, value: str, content_type: str | None = None) -> None:
        """Set a secret of this workspace. Raises SecretException if the value is not a string."""
        if not isinstance(value, str):
            raise SecretException(
                f"Secret {name!r} must be a string, not {type(value).__name__}.",
                "Convert it with str(value) or json.dumps(value).",
            )
        vault.store(vault.workspace_secret(self.workspace.id, name), value)

    def set_secrets(self, secrets_batch: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Set several secrets of this workspace, given as a dict or (name, value) pairs."""
        for name, value in dict(secrets_batch).items():
            self.set_secret(name, value)

    def list_secrets(self) -> list[dict[str, str]]:
        """The names of this workspace's secrets, each in a dict as in v1, without values."""
        return [{"name": name} for name in vault.names(self.workspace.id)]

    def delete_secret(self, name: str) -> None:
        """Delete a secret of this workspace; a missing one is ignored."""
        vault.forget(vault.workspace_secret(self.workspace.id, name))

    def delete_secrets(self, secrets: Iterable[str]) -> None:
        """Delete several secrets of this workspace."""
        for name in secrets:
            self.delete_secret(name)

    def get_secret_content_type(self, name: str) -> tuple[str, str | None]:
        """The value, and None: content types are not stored."""
        return self.get_secret(name), None

    def _workspace_secrets(self) -> AbstractContextManager[None]:
        return vault.for_workspace(self.workspace.id)
