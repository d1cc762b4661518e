"""Settings files: where they are, whose they are, and their tables.

The user's is ``config.toml`` in the settings folder. A project's is the nearest ``scriptrun.toml``,
or ``pyproject.toml`` with a table ``[tool.scriptrun]``, from the source directory up to the root of
the project: that of the git repository, else the workspace, else the current directory.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from scriptrun.registry import trust
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.store import document_limits, paths
from scriptrun.store.document_limits import CONFIGURATION, RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriptrun.runtime.hints import Json

USER, PROJECT = "user", "project"
FILE_NAME, PYPROJECT = "scriptrun.toml", "pyproject.toml"
#: set to anything, no settings file is read
NO_FILES_VARIABLE = "SCRIPTRUN_NO_CONFIG"
# compiled on first use: most projects have no settings
_TABLE = r"(?m)^\s*\[\s*tool\s*\.\s*(scriptrun|\"scriptrun\"|'scriptrun')\s*[].]"
_POSITION = r"(.*) \(at (?:line (\d+), column \d+|end of document)\)"
_HEADER = r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(#.*)?"
_ASSIGNMENT = r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*="


class SettingsFile(Value):
    """A settings file that was read: its level, path, table, and the text that it is in."""

    level: str
    path: Path
    table: Json
    text: str

    def origin(self, *keys: str) -> str:
        """The file, with the line of the setting ``keys`` if it is found: ``PATH:LINE``."""
        prefix = ("tool", "scriptrun") if self.path.name == PYPROJECT else ()
        line = _line_of(self.text, (*prefix, *keys))
        return f"{self.path}:{line}" if line else str(self.path)


def user_path() -> Path:
    """The user's settings file, which may not exist."""
    return paths.settings_root() / "config.toml"


def read_user() -> SettingsFile | None:
    """The user's settings file; None if there is none.

    Raises UserErrorException if it cannot be read, or another user can write it.
    """
    path = user_path()
    text = read_text(path)
    if text is None:
        return None
    problem = trust.why_not_own(path)
    if problem:
        raise UserErrorException(
            f"{str(path)!r} {problem}, so its settings are not used.",
            "Make it yours alone (chmod go-w), or set SCRIPTRUN_SETTINGS to another folder.",
        )
    return SettingsFile(USER, path, parse(text, path), text)


def read_project(start: Path, workspace: WorkspaceFiles | None) -> tuple[SettingsFile | None, str]:
    """The settings file of the project that ``start`` is in, or None; and a warning, or "".

    Files that another user owns or can write are ignored unless the user trusts their directory.
    """
    warning = ""
    if not os.path.isdir(start):
        return None, ""  # whoever needs it says so
    for folder in project_folders(start, workspace):
        found: list[SettingsFile] = []
        for name in (FILE_NAME, PYPROJECT):
            problem = trust.why_not_own(folder / name)
            if problem and not trust.is_trusted(folder):
                ignored = (
                    f"{folder / name} {problem}, so its settings are ignored; "
                    f"to use them: scriptrun trust {shlex.quote(str(folder))}"
                )
                warning = warning or (ignored if has_settings(folder / name) else "")
            elif file := _read_in(folder, name):
                found.append(file)
        if len(found) > 1:
            warning = f"ignoring [tool.scriptrun] in {found[1].path}: {found[0].path} exists"
        if found:
            return found[0], warning
    return None, warning


def has_settings(path: Path) -> bool:
    """Whether the file seems to have settings; it is not parsed."""
    try:
        text = document_limits.read_text(path)
    except (OSError, ValueError):
        return False
    return path.name == FILE_NAME or bool(re.search(_TABLE, text))


def project_folders(start: Path, workspace: WorkspaceFiles | None) -> Iterator[Path]:
    """``start`` and the folders above it, up to the root of the project."""
    root = WorkspaceFiles.root_for(start)
    if root == start and not (start / ".git").exists():
        above = (workspace.root if workspace else start, Path.cwd())
        root = next((folder for folder in above if folder in start.parents), start)
    for folder in (start, *start.parents):
        yield folder
        if folder == root:
            return


def _read_in(folder: Path, name: str) -> SettingsFile | None:
    """The settings file ``name`` in ``folder``; None if it is missing or has no settings."""
    path = folder / name
    is_own_file = name == FILE_NAME
    try:
        text = read_text(path)
    except UserErrorException:
        if is_own_file:
            raise
        return None  # it is about other tools
    if text is None or not (is_own_file or "scriptrun" in text):
        return None
    if not is_own_file and not re.search(_TABLE, text):
        return _read_unusual(path, text)
    table = parse(text, path)
    return SettingsFile(PROJECT, path, table if is_own_file else table["tool"]["scriptrun"], text)


def _read_unusual(path: Path, text: str) -> SettingsFile | None:
    """The settings of a ``pyproject.toml`` that may write ``[tool.scriptrun]`` in another way."""
    try:
        tool = parse(text, path).get("tool")
    except UserErrorException:
        return None  # the mistake is in another tool's part
    table = tool.get("scriptrun") if isinstance(tool, dict) else None
    return None if table is None else SettingsFile(PROJECT, path, table, text)


def read_text(path: Path) -> str | None:
    """The file's text; None if it is missing. Raises UserErrorException if it is unreadable."""
    limits = RECORD if path.name == PYPROJECT else CONFIGURATION
    try:
        return document_limits.read_text(path, limits)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.islink(path):
            return None
        reason = f"it is a link to {os.readlink(path)!r}, which does not exist"
    except (OSError, ValueError) as error:
        reason = "it is a directory" if path.is_dir() else document_limits.reason_of(error)
    raise UserErrorException(
        f"Cannot read the settings in {str(path)!r}: {reason}.", "Fix it, or remove it."
    )


def parse(text: str, path: Path) -> Json:
    """The TOML document ``text``. Raises UserErrorException, naming the file and the line."""
    import tomllib

    limits = RECORD if path.name == PYPROJECT else CONFIGURATION
    try:
        table = tomllib.loads(text)
        document_limits.check_value(table, limits)
        return table
    except RecursionError:
        reason, where = str(document_limits.too_deep(limits)), str(path)
    except ValueError as error:
        found = re.fullmatch(_POSITION, str(error))
        reason = found[1] if found else str(error)
        last_line = text.rstrip("\n").count("\n") + 1
        where = f"{path}:{found[2] or last_line}" if found else str(path)
    raise UserErrorException(
        f"{where}: invalid TOML: {reason[:1].lower()}{reason[1:]}.",
        "Strings need quotes, for example: compute = 'local'",
    )


def _line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line on which ``keys`` are set; that of the nearest table above them, 0 if none."""
    header: tuple[str, ...] = ()
    best, depth = 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        table = re.fullmatch(_HEADER, line)
        assignment = None if table else re.match(_ASSIGNMENT, line)
        if table:
            header = path = _split(table[1])
        elif assignment:
            path = (*header, *_split(assignment[1]))
        else:
            continue
        if path == keys[: len(path)] and len(path) > depth:
            best, depth = number, len(path)
    return best


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
