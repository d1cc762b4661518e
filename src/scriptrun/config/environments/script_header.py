"""Inline script metadata: the requirements in a script's ``# /// script`` block (PEP 723).

https://packaging.python.org/en/latest/specifications/inline-script-metadata/ ; for the table
``[tool.uv]`` see https://docs.astral.sh/uv/guides/scripts/
"""

from __future__ import annotations

import os

from scriptrun.config.environments import uv_project
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import document_limits
from scriptrun.store.document_limits import RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_MARK = "# /// script"
_END = "# ///"
_HINT = "For the format, see https://peps.python.org/pep-0723/"


def find(path: str | os.PathLike[str]) -> CondaDependencies | None:
    """The Python and packages that the script at ``path`` requires; None if it has no metadata.

    The versions of ``<script>.lock`` are used if ``uv lock --script`` created one. Raises
    EnvironmentException for malformed metadata.
    """
    script_path = os.path.abspath(os.fspath(path))
    try:
        text = document_limits.read_text(script_path, RECORD)
    except (OSError, ValueError):
        return None  # running the script reports the error
    table = read(text, script_path) if _MARK in text else None
    if table is None:
        return None
    if os.path.isfile(f"{script_path}.lock"):
        return uv_project.export(
            ["--script", script_path], f"{script_path}.lock", _python_version(table, script_path)
        )
    return dependencies(table, script_path)


def read(text: str, where: str) -> Json | None:
    """The metadata as a TOML table; None if there is no block."""
    blocks, is_open = _find_blocks(text.replace("\r\n", "\n").split("\n"))
    if not blocks and is_open:
        raise EnvironmentException(
            f"The '{_MARK}' block in {where} is not closed.",
            f"End it with '# ///' and start each line with '#'. {_HINT}",
        )
    if not blocks:
        return None
    if len(blocks) > 1:
        raise EnvironmentException(f"{where} has {len(blocks)} '{_MARK}' blocks.", "Keep only one.")
    content = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0])
    return uv_project.parse_toml(content, f"The metadata of {where}", _HINT)


def _find_blocks(lines: list[str]) -> tuple[list[list[str]], bool]:
    """The lines of each block, and whether there is one that is not closed."""
    blocks: list[list[str]] = []
    is_open, number = False, 0
    while number < len(lines):
        is_start = lines[number].rstrip() == _MARK
        number += 1
        if not is_start:
            continue
        while number < len(lines) and not lines[number].strip():
            number += 1
        start = number
        while number < len(lines) and (lines[number] == "#" or lines[number].startswith("# ")):
            number += 1
        ends = [n for n in range(start + 1, number) if lines[n].rstrip() == _END]
        if ends:
            blocks.append(lines[start : ends[-1]])
            number = ends[-1] + 1
        else:
            is_open = True
            number -= number > start and lines[number - 1].rstrip() == _MARK  # it may begin one
    return blocks, is_open


def dependencies(table: Json, script_path: str) -> CondaDependencies:
    """The Python, packages and uv settings that the metadata's ``table`` requires."""
    requirements = table.get("dependencies", [])
    if not isinstance(requirements, list) or not all(
        isinstance(requirement, str) for requirement in requirements
    ):
        raise EnvironmentException(
            f"The metadata of {script_path}: 'dependencies' must be a list of strings."
        )
    settings = uv_project.settings(uv_project.tool_table(table, script_path), script_path)
    conda = uv_project.python_only(_python_version(table, script_path))
    conda.set_pip_requirements(uv_project.with_local_paths(requirements, settings))
    conda.uv_settings = settings
    return conda


def _python_version(table: Json, script_path: str) -> str:
    version = table.get("requires-python", "")
    if not isinstance(version, str):
        raise EnvironmentException(
            f"The metadata of {script_path}: 'requires-python' must be a string.", _HINT
        )
    if version and not interpreter_discovery.is_version(version):
        raise EnvironmentException(
            f"The metadata of {script_path}: invalid requires-python = {version!r}.",
            'Use a version specifier, e.g. ">=3.9" or ">=3.9,<3.13".',
        )
    return version
