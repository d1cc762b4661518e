"""uv projects: the versions of ``uv.lock`` as requirements, and the table ``[tool.uv]``.

``uv export`` prints the locked requirements with their digests. Downloads are verified against
these, so any index can serve them (docs.astral.sh/uv/concepts/projects).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.requirements import requirement_name, settle, split_name
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tomllib
    from typing import Any

    from scriptrun.environments.uv import tool as uv_tool
else:
    tomllib = later("tomllib")
    uv_tool = later("scriptrun.environments.uv.tool")

#: the settings of [tool.uv] that affect which versions are installed, and from where
SETTINGS = {
    "sources", "index", "index-url", "extra-index-url", "find-links", "no-index", "index-strategy",
    "exclude-newer", "prerelease", "resolution", "constraint-dependencies",
    "override-dependencies", "exclude-dependencies", "dependency-metadata", "no-build",
    "no-build-package", "no-binary", "no-binary-package", "no-build-isolation-package",
    "config-settings", "config-settings-package",
}  # fmt: skip
#: the registry in a lockfile that was created without a custom index
_PYPI = re.compile(r"https://pypi\.org/simple/?")


def of_project(
    path: str | os.PathLike[str],
    groups: Sequence[str] | None,
    extras: Sequence[str],
    install_project: bool,
) -> CondaDependencies:
    """What ``uv sync --frozen`` would install for the project in the directory ``path``.

    Raises EnvironmentException if the project or its lockfile is missing, or with uv's error.
    """
    place = os.path.abspath(os.fspath(path))
    project, lock = os.path.join(place, "pyproject.toml"), os.path.join(place, "uv.lock")
    for file, hint in ((project, "`uv init`"), (lock, f"`uv lock --project {place}`")):
        if not os.path.isfile(file):
            raise EnvironmentException(f"{str(file)!r} does not exist.", f"Create it with {hint}.")
    with open(project, encoding="utf-8") as handle:
        table = toml(handle.read(), project, "To see what is wrong with it, run `uv lock`.")
    words = ["--project", place]
    words += [] if groups is None else ["--no-default-groups"]
    words += [word for name in groups or () for word in ("--group", name)]
    words += [word for name in extras for word in ("--extra", name)]
    words += ["--no-editable"] if install_project else ["--no-emit-project"]
    wanted = str((table.get("project") or {}).get("requires-python") or "")
    return exported(words, lock, _pinned(place) or wanted)


def exported(words: list[str], lock: str, python: str) -> CondaDependencies:
    """The output of ``uv export --frozen`` with ``words``, for the version ``python``."""
    command = ["export", "--frozen", "--no-header", "--no-annotate", "--quiet", *words]
    folder = os.path.dirname(lock)
    text = uv_tool.run(command, folder, lambda _: None, lambda: False)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("-i ", "--index-url", "--extra-"))]
    made = bare(python)
    kept = settle((" ".join(line.split()) for line in lines), lock)
    made.set_pip_requirements([*_indexes(lock), "--no-deps", *kept])
    return made


def bare(python: str) -> CondaDependencies:
    """Dependencies with only a Python: a version, a specifier, or "" for any."""
    made = CondaDependencies.from_dict({"dependencies": [], "channels": []})
    if python.strip():
        made.set_python_version(python.strip())
    return made


def toml(text: str, where: str, hint: str) -> dict[str, Any]:
    """Parse ``text`` as TOML. Raises EnvironmentException, naming the invalid position."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentException(f"{where} is not valid TOML: {error}.", hint) from None


def settings(table: dict[str, Any], place: str) -> dict[str, Any]:
    """The relevant settings of ``[tool.uv]``, with paths relative to ``place`` resolved."""
    made = {name: value for name, value in table.items() if name in SETTINGS}
    folder = os.path.dirname(place)
    sources = made.get("sources") or {}
    for name, source in sources.items():
        if isinstance(source, dict) and source.get("workspace"):
            raise EnvironmentException(
                f"{place} uses {name!r} from a uv workspace, but a standalone script has none.",
                f"Give its path: {name} = {{ path = ... }}.",
            )
    if sources:
        made["sources"] = {name: _absolute(each, folder) for name, each in sources.items()}
    if made.get("find-links"):
        made["find-links"] = [_beside(each, folder) for each in made["find-links"]]
    if made.get("index"):
        made["index"] = [{**each, "url": _beside(each["url"], folder)} for each in made["index"]]
    return made


def with_paths(needed: Sequence[str], settings: dict[str, Any]) -> list[str]:
    """``needed`` with the path of each source that is a local directory or file.

    These sources are removed from ``settings``.
    """
    sources = settings.get("sources") or {}
    paths = {
        requirement_name(name): source["path"]
        for name, source in sources.items()
        if isinstance(source, dict) and "path" in source
    }
    left = {name: each for name, each in sources.items() if requirement_name(name) not in paths}
    if sources:
        settings["sources"] = left
    return [_with_path(line, paths) for line in needed]


def _with_path(line: str, paths: dict[str, str]) -> str:
    path = paths.get(requirement_name(line))
    if path is None:
        return line
    name, rest = split_name(line)
    extras = rest[: rest.index("]") + 1] if rest.startswith("[") else ""
    _, mark, marker = line.partition(";")
    return f"{name}{extras} @ file://{path}" + (f" ; {marker.strip()}" if mark else "")


def _absolute(source: Any, folder: str) -> Any:
    if isinstance(source, list):
        return [_absolute(each, folder) for each in source]
    if isinstance(source, dict) and isinstance(source.get("path"), str):
        return {**source, "path": _beside(source["path"], folder)}
    return source


def _beside(value: str, folder: str) -> str:
    if "://" in value or value.startswith("${"):
        return value
    return os.path.normpath(os.path.join(folder, os.path.expanduser(value)))


def _pinned(place: str) -> str:
    """The CPython version in ``.python-version``, or ""."""
    try:
        with open(os.path.join(place, ".python-version"), encoding="utf-8") as handle:
            lines = [line.partition("#")[0].strip() for line in handle]
    except OSError:
        return ""
    first = next((line for line in lines if line), "").removeprefix("cpython@")
    return first if interpreter_discovery.is_version(first) else ""


def _indexes(lock: str) -> list[str]:
    """Options for the lockfile's indexes; PyPI stands for this machine's default index."""
    with open(lock, encoding="utf-8") as handle:
        packages = toml(handle.read(), lock, "Recreate it with `uv lock`.").get("package") or ()
    found: dict[str, str] = {}
    for each in packages:
        source = each.get("source")
        if isinstance(source, dict) and "registry" in source:
            found.setdefault(str(source["registry"]), str(each.get("name")))
    folder = os.path.dirname(lock)
    others = {each: name for each, name in found.items() if not _PYPI.fullmatch(each)}
    lines = [_option(each, name, folder) for each, name in others.items()]
    if len(others) == len(found) and lines and lines[0].startswith("--extra-index-url"):
        lines[0] = lines[0].replace("--extra-index-url", "--index-url")
    return lines


def _option(registry: str, package: str, folder: str) -> str:
    """The option for an index; a local directory without package folders is a folder of wheels."""
    if "://" in registry:
        return f"--extra-index-url {registry}"
    place = _beside(registry, folder)
    if os.path.isdir(os.path.join(place, package)):
        return f"--extra-index-url file://{place}"
    return f"--find-links {place}"
