"""A workspace's directory of plain files: creating and finding it, and its layout.

``Workspace`` builds on it and adds runs, experiments, environments, ...; code that only needs the
files uses ``WorkspaceFiles``.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from pathlib import Path

from scriptrun.registry import azure_config, copies, trust
from scriptrun.runtime import files, standard_streams
from scriptrun.spec import accounts
from scriptrun.spec.environment import EXACT
from scriptrun.spec.errors import UserErrorException, WorkspaceException
from scriptrun.spec.values import as_object
from scriptrun.store import paths, records
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self, TypeVar

    from scriptrun.runtime.hints import Json

    H = TypeVar("H", bound="WorkspaceFiles")

DIRECTORY = trust.DIRECTORY
FORMAT = 1
#: variables and logs; copies of files, private ones too
_PRIVATE_FOLDERS = ("runs", "snapshots")
_FOLDERS = ("locks", "runtime")


class WorkspaceFiles:
    """A directory that holds ``.scriptrun/``. ``root`` is that directory.

    ``create`` makes one, ``get`` and ``from_config`` find one; ``Workspace(root)`` opens the one in
    ``root``. Raises WorkspaceException if there is none, or if it is not the user's alone and not
    trusted (``trust``).
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        path = own_folder(root)
        trust.require(path)
        self._open(path, notices_copies=not trust.is_of_this_job(path))

    @property
    def pins(self) -> str:
        """What happens to pins that are not available when environments are built."""
        return EXACT

    @classmethod
    def reopen(cls, root: str | os.PathLike[str]) -> Self:
        """The workspace in ``root``, in a process that scriptrun has started to work for it.

        Whoever asked for that has opened it, and trusts it.
        """
        workspace = cls.__new__(cls)
        workspace._open(own_folder(root))
        return workspace

    def _open(self, root: Path, notices_copies: bool = False) -> None:
        standard_streams.open_closed()  # or a lock of this process may take one
        self.root = root
        self.directory = self.root / DIRECTORY
        facts = records.read(self.directory / "workspace.json", _checked_facts)
        if facts is None:
            raise WorkspaceException(
                f"No workspace found in {str(self.root)!r}.",
                "Create one with `scriptrun init` or Workspace.create(name).",
            )
        if facts.get("format", FORMAT) > FORMAT:
            raise WorkspaceException(
                f"The workspace in {str(self.root)!r} was created by a newer scriptrun "
                f"(format {facts['format']}; this version supports up to {FORMAT}).",
                "Upgrade scriptrun.",
            )
        self._facts: Json = copies.settle(self.directory, facts) if notices_copies else facts

    @classmethod
    def create(
        cls,
        name: str,
        auth: object = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        *args: object,
        tags: dict[str, str] | None = None,
        exist_ok: bool = False,
        path: str | os.PathLike[str] | None = None,
        **kwargs: object,
    ) -> Self:
        """Create the workspace ``name`` in ``path`` (default: the current directory).

        ``exist_ok`` opens an existing one of this name. Cloud settings (subscription, resource
        group, ...) are only recorded. Raises WorkspaceException if a workspace exists already, or
        the directory cannot be written.
        """
        _check_name(name)
        root = own_folder(path or ".")
        if os.path.lexists(root / DIRECTORY / "workspace.json"):
            return _existing(cls(root), name, exist_ok)
        facts = {
            "format": FORMAT,
            "name": name,
            "id": files.unique(32),
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "subscription_id": subscription_id,
            "resource_group": resource_group,
            "location": location,
            "tags": tags or {},
            "place": copies.place_of(root),
        }
        _create_folders(root, facts)
        return cls(root)

    @classmethod
    def get(
        cls, name: str, *args: object, path: str | os.PathLike[str] | None = None, **kwargs: object
    ) -> Self:
        """The workspace ``name`` in ``path``, or in the current directory or one above it."""
        workspace = cls(path) if path else cls.search(Path.cwd())
        if workspace is None or workspace.name != name:
            note = f"; found {workspace.name!r} in {workspace.root}" if workspace else ""
            raise WorkspaceException(
                f"Workspace {name!r} not found in the current directory or its parents{note}.",
                f"Create it with `scriptrun init {name}`, or give its directory with path=.",
            )
        return workspace

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        auth: object = None,
        **kwargs: object,
    ) -> Self:
        """The workspace of the current directory (or ``path``), searched upwards from there.

        SCRIPTRUN_WORKSPACE sets its directory explicitly. An Azure ``config.json`` on the way up
        opens (or creates) a local workspace of the name in it. If nothing is found, a workspace is
        created at the root of the git repository, else here, and a message says so.
        """
        configured = os.environ.get("SCRIPTRUN_WORKSPACE")
        if configured and path is None:
            root = own_folder(configured)
            return cls._open_or_make(root, root.name)
        start = own_folder(path or ".")
        if start.is_file():
            return cls._of_azure_config(start)
        while not os.path.isdir(start):
            start = start.parent  # the first folder above that exists
        file_name = str(kwargs.get("_file_name") or azure_config.FILE_NAME)
        workspace = cls.search(start, file_name)
        if workspace is not None:
            return workspace
        root = cls.root_for(azure_config.project_of(start))
        return cls._open_or_make(root, root.name)

    @classmethod
    def to_be(cls, root: Path, name: str | None = None) -> Self:
        """The workspace that would be created in ``root``; it has no ID, and nothing is written."""
        workspace = cls.__new__(cls)
        workspace.root = own_folder(root)
        workspace.directory = workspace.root / DIRECTORY
        workspace._facts = {"name": name or _as_name(workspace.root.name), "id": ""}
        return workspace

    @staticmethod
    def root_for(start: Path) -> Path:
        """Where ``from_config`` creates a workspace: the root of the git repository, else here."""
        return _git_root(start) or start

    @classmethod
    def _open_or_make(cls, root: Path, name: str) -> Self:
        if os.path.lexists(root.absolute() / DIRECTORY / "workspace.json"):
            return cls(root)
        workspace = cls.create(_as_name(name), path=root, exist_ok=True)
        print(f"Created workspace {workspace.name!r} in {workspace.directory}", file=sys.stderr)
        return workspace

    @classmethod
    def search(cls, start: Path, file_name: str = azure_config.FILE_NAME) -> Self | None:
        """The workspace in ``start`` or above it, or None; ``file_name`` is Azure's file."""
        first = own_folder(start)
        for folder in (first, *first.parents):
            if os.path.lexists(folder / DIRECTORY / "workspace.json"):
                return cls(folder)
            for path in azure_config.candidates(folder, file_name):
                if path.is_file() and azure_config.read(path):
                    trust.require_config(path)
                    return cls._of_azure_config(path)
        return None

    @classmethod
    def _of_azure_config(cls, config: Path) -> Self:
        facts = azure_config.read(config)
        if facts is None:
            raise UserErrorException(
                f"{str(config)!r} does not name a workspace.",
                'Expected {"workspace_name": ...}, as written by Workspace.write_config().',
            )
        root = azure_config.project_of(config.parent)
        path_setting = facts.get("path")
        root = Path(path_setting) if path_setting and Path(path_setting).is_dir() else root
        if os.path.lexists(root / DIRECTORY / "workspace.json"):
            return cls(root)
        workspace = cls.create(
            facts["workspace_name"],
            subscription_id=facts.get("subscription_id"),
            resource_group=facts.get("resource_group"),
            path=root,
        )
        print(
            f"Created local workspace {workspace.name!r} in {workspace.directory}", file=sys.stderr
        )
        return workspace

    @property
    def name(self) -> str:
        """The workspace's name."""
        return str(self._facts["name"])

    def has_copied(self, created: str) -> bool:
        """Whether a run submitted at ``created`` came from the workspace that this is a copy of."""
        return copies.is_of_original(self._facts, created)

    @property
    def id(self) -> str:
        """The workspace's unique ID: it stays when the directory is moved, a copy has another."""
        return str(self._facts["id"])

    @property
    def subscription_id(self) -> str:
        """The Azure subscription that the workspace was created with, or zeros."""
        return self._facts.get("subscription_id") or "00000000-0000-0000-0000-000000000000"

    @property
    def resource_group(self) -> str:
        """The resource group that the workspace was created with, or ``scriptrun``."""
        return self._facts.get("resource_group") or "scriptrun"

    @property
    def location(self) -> str:
        """The region that the workspace was created with, or ``local``."""
        return self._facts.get("location") or "local"

    @property
    def sku(self) -> str:
        """Always ``basic``: a directory has no price list."""
        return "basic"

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the workspace was created with."""
        return dict(self._facts.get("tags") or {})

    @property
    def runs_folder(self) -> Path:
        """The run folders, by day."""
        return self.directory / "runs"

    @property
    def snapshots_folder(self) -> Path:
        """The store of source snapshots."""
        return self.directory / "snapshots"

    @property
    def locks_folder(self) -> Path:
        """The environments' lockfiles, by request."""
        return self.directory / "locks"

    def find_run(self, run_id: str) -> Path | None:
        """The folder of the run with exactly this id, or None."""
        return run_folder.find(self.runs_folder, run_id)

    def folder_of(self, run_id: str) -> Path:
        """The folder of the run with exactly this id. Raises UserErrorException without one."""
        folder = self.find_run(run_id)
        if folder is None:
            raise UserErrorException(
                f"Run {run_id!r} not found in workspace {self.name!r}.",
                "To list runs, run: scriptrun list",
            )
        return folder

    def get_details(self) -> Json:
        """The workspace's facts as a dict."""
        return {**self._facts, "location": self.location, "path": str(self.root)}

    def write_config(
        self, path: str | os.PathLike[str] | None = None, file_name: str | None = None
    ) -> None:
        """Write ``.azureml/config.json`` below ``path`` (default: here), for ``from_config``.

        ``path`` may be the ``.azureml`` folder itself. ``file_name`` replaces ``config.json``.
        """
        folder = Path(path or ".")
        if folder.name != ".azureml":
            folder /= ".azureml"
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
            "path": str(self.root),
        }
        files.write_atomic(str(folder / (file_name or "config.json")), files.to_json(facts))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, root={str(self.root)!r})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>Workspace</b> {escape(self.name)} in <code>{escape(str(self.root))}</code>"


def _checked_facts(facts: Json) -> Json:
    """The content of workspace.json; ValueError if a field is missing or of another type."""
    for name in ("name", "id"):
        if not isinstance(facts.get(name), str) or not facts[name]:
            raise ValueError(f"expected text in the field {name!r}")
    if "/" in facts["id"] or facts["id"].startswith("."):
        raise ValueError("expected an ID in the field 'id'")
    if type(facts.get("format", FORMAT)) is not int:
        raise ValueError("expected a whole number in the field 'format'")
    as_object(facts.get("tags"), "tags")
    return facts


def _existing(workspace: H, name: str, exist_ok: bool) -> H:
    if exist_ok and workspace.name == name:
        return workspace
    raise WorkspaceException(
        f"Workspace {workspace.name!r} already exists in {workspace.root}.",
        "Open it with Workspace.from_config(), or give another directory with path=.",
    )


def _create_folders(root: Path, facts: Json) -> None:
    directory = root / DIRECTORY
    trust.require(root)  # existing files decide what the new workspace runs
    try:
        files.make_folders(root)
        mode = trust.mode_for(root)
        _make_directory(directory, mode)
        for name in _PRIVATE_FOLDERS:
            if not (directory / name).is_dir():
                paths.make_private(directory / name)
        for name in _FOLDERS:
            (directory / name).mkdir(mode=mode, exist_ok=True)
        files.sync_folder(root)
        files.write_atomic(str(directory / ".gitignore"), b"*\n", durable=False)
        files.publish(str(directory / "workspace.json"), files.to_json(facts))
    except OSError as error:
        raise paths.not_writable(directory, error) from error
    if trust.why_not(directory):
        trust.trust(root)  # shared with a group, or a file system without modes: its maker knows


def _make_directory(directory: Path, allowed: int) -> None:
    """Create the workspace's folder with the mode ``allowed`` at most.

    Where the umask lets others write, they cannot enter it: what is made in it is as open.
    """
    directory.mkdir(exist_ok=True)
    status = directory.stat()
    mode = stat.S_IMODE(status.st_mode)
    wanted = mode & (allowed | stat.S_ISGID) & (~0o007 if mode & 0o002 else ~0)
    is_shared = mode & stat.S_IWGRP and not trust.is_own_group(str(directory), status.st_gid)
    if is_shared and not allowed & stat.S_IWGRP:
        wanted &= ~0o077
    if wanted != mode:
        directory.chmod(wanted)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > 260:
        shown = repr(name) if len(repr(name)) <= 300 else f"{repr(name)[:297]}..."
        raise UserErrorException(
            f"A workspace name must be a string of 1 to 260 characters, not {shown}."
        )
    if re.search(_UNUSABLE, name):
        raise UserErrorException(
            f"A workspace name may contain no NUL and no lone surrogate, as {name!r} does."
        )


#: what neither a path nor a name may contain: NUL, and surrogates that stand for no byte
_UNUSABLE = "[\0\ud800-\udc7f\udd00-\udfff]"


def own_folder(path: str | os.PathLike[str]) -> Path:
    """``path`` as an absolute one by its own name: without ``..``, ``~`` and a last slash."""
    if re.search(_UNUSABLE, os.fsdecode(path)):
        raise UserErrorException(
            f"{os.fsdecode(path)!r} is not a valid path: it contains a NUL or a lone surrogate.",
            "Remove that character.",
        )
    whole = Path(path).expanduser().absolute()
    return whole.resolve() if ".." in whole.parts else whole


def _as_name(name: str) -> str:
    return name or "workspace"


def _git_root(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if (folder / ".git").exists() and _is_believed(folder, ".git"):
            return folder
    return None


def _is_believed(folder: Path, name: str) -> bool:
    return not accounts.is_of_another(folder / name) or trust.is_trusted(folder)
