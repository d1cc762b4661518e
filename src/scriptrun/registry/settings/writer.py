"""Change a settings file, keeping its comments and its order."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from scriptrun.registry import trust
from scriptrun.registry.settings import files, keys, reader
from scriptrun.registry.settings.files import FILE_NAME, PYPROJECT, USER
from scriptrun.runtime import disks
from scriptrun.runtime import files as runtime_files
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tomlkit import TOMLDocument

    from scriptrun.registry.settings.keys import Setting
    from scriptrun.registry.workspace_files import WorkspaceFiles

    Table = MutableMapping[str, object]


def project_path(start: Path, workspace: WorkspaceFiles | None) -> Path:
    """The project's settings file: the one in use, else the one in which to begin.

    That is the nearest ``pyproject.toml``, else ``scriptrun.toml`` in the project's root.
    """
    folders = list(files.project_folders(start, workspace))
    for folder in folders:
        for name in (FILE_NAME, PYPROJECT):
            if files.has_settings(folder / name):
                return folder / name
    existing = [folder / PYPROJECT for folder in folders if (folder / PYPROJECT).is_file()]
    return existing[0] if existing else folders[-1] / FILE_NAME


def setting_of(key: str) -> tuple[Setting, str]:
    """The setting that ``key`` (``KEY`` or ``KEY.NAME``) names, and the name in its table.

    Raises UserErrorException for an unknown one.
    """
    first, separator, name = key.partition(".")
    setting = keys.SETTINGS.get(first)
    if setting is None or (separator and (setting.kind != keys.TABLE or not name)):
        raise UserErrorException(
            f"{key!r} is not a setting.", suggestion.hint(key, keys.SETTINGS, "Settings")
        )
    return setting, name


def value_of(setting: Setting, name: str, words: list[str]) -> object:
    """The value that ``words`` of the command line mean. Raises UserErrorException."""
    if setting.kind == keys.COMMAND:
        value: object = _words(setting.key, words[0]) if len(words) == 1 else words
    elif setting.kind == keys.TABLE and not name:
        raise UserErrorException(
            f"{setting.key!r} is a table.",
            f"Set one entry: scriptrun config set {setting.key}.NAME ...",
        )
    elif len(words) > 1:
        raise UserErrorException(
            f"{setting.key!r} has one value, not {len(words)}.", f"Quote it: {shlex.join(words)!r}"
        )
    else:
        value = words[0]
    problem = setting.problem({name: value} if name else value)
    refuse([f"{setting.key}: {problem}"] if problem else [], "Invalid setting")
    return value


def _words(key: str, line: str) -> list[str]:
    """The arguments in ``line``. Raises UserErrorException for an open quotation mark."""
    try:
        return shlex.split(line)
    except ValueError:
        raise UserErrorException(
            f"Invalid setting: {key}: {line!r} has an unclosed quotation mark or escape.",
            "Close it, or pass each argument as a separate VALUE.",
        ) from None


def put(path: Path, level: str, key: str, value: object) -> None:
    """Set ``key`` in the file ``path``, which is made if it is missing.

    Raises UserErrorException if the file is invalid, or would be.
    """
    setting, name = setting_of(key)
    document = _load(path, level)
    table = _table(document, path, setting.key if name else "")
    table[name or setting.key] = value
    _store(path, level, document)


def remove(path: Path, level: str, key: str) -> bool:
    """Remove ``key`` from the file ``path``; returns whether it was there."""
    setting, name = setting_of(key)
    document = _load(path, level)
    table: object = document
    for part in [*_prefix(path), *([setting.key] if name else [])]:
        table = table.get(part) if isinstance(table, dict) else None
    last = name or setting.key
    if not isinstance(table, dict) or last not in table:
        return False
    del table[last]
    _store(path, level, document)
    return True


def _prefix(path: Path) -> tuple[str, ...]:
    return ("tool", "scriptrun") if path.name == PYPROJECT else ()


def _load(path: Path, level: str) -> TOMLDocument:
    """The file's document. Raises UserErrorException for a file whose settings are ignored.

    A changed file is the user's own, so what another user has put there would count.
    """
    import tomlkit

    problem = trust.why_not_own(path)
    if problem and (level == USER or not trust.is_trusted(path.parent)):
        hint = "Check its content and make it yours alone (chown, chmod go-w)"
        trusting = f", or run: scriptrun trust {shlex.quote(str(path.parent))}"
        raise UserErrorException(
            f"{str(path)!r} {problem}, so it is not changed.",
            f"{hint}." if level == USER else hint + trusting,
        )
    text = files.read_text(path) or ""
    files.parse(text, path)  # its messages name the line
    return tomlkit.parse(text)


def _table(document: TOMLDocument, path: Path, key: str) -> Table:
    """The table of the settings, or the one that is the setting ``key``; made if missing."""
    import tomlkit

    table: Table = document
    parts = [*_prefix(path), *([key] if key else [])]
    for number, part in enumerate(parts):
        inner = table.get(part)
        if inner is None:
            is_inline = isinstance(table, tomlkit.items.InlineTable)  # it holds no other tables
            is_outer = part == "tool"
            table[part] = tomlkit.inline_table() if is_inline else tomlkit.table(is_outer)
            inner = table[part]
        if not isinstance(inner, dict):
            where = ".".join(parts[: number + 1])
            raise UserErrorException(f"{path}: {where} must be a table.", "Change it by hand.")
        table = inner
    return table


def _store(path: Path, level: str, document: TOMLDocument) -> None:
    """Write the file, through a symbolic link, unless it would be invalid."""
    import tomlkit

    text = tomlkit.dumps(document)
    table = files.parse(text, path)
    for part in _prefix(path):
        table = table.get(part, {})
    refuse(reader.file_problems(files.SettingsFile(level, path, table, text)), "Invalid settings")
    real = os.path.realpath(path)
    try:
        mode = stat.S_IMODE(os.stat(real).st_mode) if os.path.exists(real) else None
        if mode is None:
            mode = 0o600 if level == USER else 0o666  # less the umask
            os.makedirs(os.path.dirname(real), 0o700, exist_ok=True)
        runtime_files.write_atomic(real, text.encode(), mode)
    except OSError as error:
        raise UserErrorException(
            f"Cannot write {str(path)!r}: {disks.describe(error)}.", "Change its permissions."
        ) from None
