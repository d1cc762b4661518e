"""uv projects: the versions of ``uv.lock`` as requirements, and the table ``[tool.uv]``.

``uv export`` prints the locked requirements with their digests. Downloads are verified against
these, so any index can serve them (docs.astral.sh/uv/concepts/projects).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.requirement_files import expand_lines
from scriptrun.config.environments.requirements import requirement_name, split_name
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.store import document_limits
from scriptrun.store.document_limits import RECORD, LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tomllib

    from scriptrun.environments.uv import tool as uv_tool
    from scriptrun.runtime.hints import Json
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


def read_project(
    path: str | os.PathLike[str],
    groups: Sequence[str] | None,
    extras: Sequence[str],
    install_project: bool,
) -> CondaDependencies:
    """What ``uv sync --frozen`` would install for the project in the directory ``path``.

    Raises EnvironmentException if the project or its lockfile is missing, or with uv's error.
    """
    folder = os.path.abspath(os.fspath(path))
    pyproject, lockfile = os.path.join(folder, "pyproject.toml"), os.path.join(folder, "uv.lock")
    for file, hint in ((pyproject, "`uv init`"), (lockfile, f"`uv lock --project {folder}`")):
        if not os.path.isfile(file):
            raise EnvironmentException(f"{str(file)!r} does not exist.", f"Create it with {hint}.")
    table = read_toml(pyproject, "To see what is wrong with it, run `uv lock`.")
    options = ["--project", folder]
    options += [] if groups is None else ["--no-default-groups"]
    options += [word for name in groups or () for word in ("--group", name)]
    options += [word for name in extras for word in ("--extra", name)]
    options += ["--no-editable"] if install_project else ["--no-emit-project"]
    project = sub_table(table, "project", pyproject)
    requires_python = str(project.get("requires-python") or "")
    return export(options, lockfile, _pinned_python(folder) or requires_python)


def export(options: list[str], lockfile: str, python: str) -> CondaDependencies:
    """The output of ``uv export --frozen`` with ``options``, for the version ``python``."""
    command = ["export", "--frozen", "--no-header", "--no-annotate", "--quiet", *options]
    folder = os.path.dirname(lockfile)
    text = uv_tool.run(command, folder, lambda _: None, lambda: False)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("-i ", "--index-url", "--extra-"))]
    dependencies = python_only(python)
    requirements = expand_lines((" ".join(line.split()) for line in lines), lockfile)
    dependencies.set_pip_requirements([*_index_options(lockfile), "--no-deps", *requirements])
    return dependencies


def python_only(python: str) -> CondaDependencies:
    """Dependencies with only a Python: a version, a specifier, or "" for any."""
    dependencies = CondaDependencies.from_dict({"dependencies": [], "channels": []})
    if python.strip():
        dependencies.set_python_version(python.strip())
    return dependencies


def read_toml(path: str, hint: str) -> Json:
    """The TOML file ``path``. Raises EnvironmentException if it is unreadable or invalid."""
    try:
        text = document_limits.read_text(path, RECORD, "utf-8")
    except UnicodeDecodeError:
        raise EnvironmentException(f"{path} is not UTF-8 text.", hint) from None
    except (OSError, LimitExceeded) as error:
        reason = getattr(error, "strerror", None) or error
        raise EnvironmentException(f"Cannot read {path!r}: {reason}.", hint) from None
    return parse_toml(text, path, hint)


def parse_toml(text: str, where: str, hint: str) -> Json:
    """Parse ``text`` as TOML. Raises EnvironmentException, naming the invalid position."""
    try:
        table = tomllib.loads(text)
        document_limits.check_value(table, RECORD)
        return table
    except RecursionError:
        error = document_limits.too_deep(RECORD)
        raise EnvironmentException(f"{where} is not valid TOML: {error}.", hint) from None
    except ValueError as error:
        raise EnvironmentException(f"{where} is not valid TOML: {error}.", hint) from None


def tool_table(table: Json, where: str) -> Json:
    """The table ``[tool.uv]`` of the TOML file ``where``; {} if it has none."""
    return sub_table(sub_table(table, "tool", where), "uv", f"{where}: [tool]")


def sub_table(table: Json, name: str, where: str) -> Json:
    """The table ``name`` in ``table``; {} if it has none. Raises EnvironmentException."""
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise EnvironmentException(f"{where}: {name!r} must be a table, not {value!r}.")
    return value


def settings(table: Json, file_path: str) -> Json:
    """The relevant settings of ``[tool.uv]``, with paths relative to ``file_path`` resolved."""
    relevant = {name: value for name, value in table.items() if name in SETTINGS}
    folder = os.path.dirname(file_path)
    _check_settings(relevant, file_path)
    sources = relevant.get("sources") or {}
    for name, source in sources.items():
        if isinstance(source, dict) and source.get("workspace"):
            raise EnvironmentException(
                f"{file_path} uses {name!r} from a uv workspace, but a standalone script has none.",
                f"Give its path: {name} = {{ path = ... }}.",
            )
    if sources:
        relevant["sources"] = {
            name: _absolute_source(entry, folder) for name, entry in sources.items()
        }
    if relevant.get("find-links"):
        relevant["find-links"] = [_resolve_path(link, folder) for link in relevant["find-links"]]
    if relevant.get("index"):
        relevant["index"] = [
            {**index, "url": _resolve_path(index["url"], folder)} for index in relevant["index"]
        ]
    return relevant


def _check_settings(table: Json, file_path: str) -> None:
    """Raise EnvironmentException for settings with paths that do not have uv's types."""
    sources, links, indexes = (table.get(name) or [] for name in ("sources", "find-links", "index"))
    is_valid = {
        "sources": not sources or isinstance(sources, dict),
        "find-links": isinstance(links, list) and all(isinstance(link, str) for link in links),
        "index": isinstance(indexes, list)
        and all(isinstance(each, dict) and isinstance(each.get("url"), str) for each in indexes),
    }
    for name, valid in is_valid.items():
        if not valid:
            raise EnvironmentException(
                f"{file_path}: [tool.uv] has an invalid {name!r}.",
                "For the format, see https://docs.astral.sh/uv/reference/settings/",
            )


def with_local_paths(requirements: Sequence[str], settings: Json) -> list[str]:
    """``requirements`` with the path of each source that is a local directory or file.

    These sources are removed from ``settings``.
    """
    sources = settings.get("sources") or {}
    paths = {
        requirement_name(name): source["path"]
        for name, source in sources.items()
        if isinstance(source, dict) and isinstance(source.get("path"), str)
    }
    remaining = {
        name: entry for name, entry in sources.items() if requirement_name(name) not in paths
    }
    if sources:
        settings["sources"] = remaining
    return [_with_path(line, paths) for line in requirements]


def _with_path(line: str, paths: dict[str, str]) -> str:
    path = paths.get(requirement_name(line))
    if path is None:
        return line
    name, rest = split_name(line)
    extras = rest[: rest.index("]") + 1] if rest.startswith("[") else ""
    _, mark, marker = line.partition(";")
    return f"{name}{extras} @ file://{path}" + (f" ; {marker.strip()}" if mark else "")


def _absolute_source(source: object, folder: str) -> object:
    if isinstance(source, list):
        return [_absolute_source(item, folder) for item in source]
    if isinstance(source, dict) and isinstance(source.get("path"), str):
        return {**source, "path": _resolve_path(source["path"], folder)}
    return source


def _resolve_path(value: str, folder: str) -> str:
    if "://" in value or value.startswith("${"):
        return value
    return os.path.normpath(os.path.join(folder, os.path.expanduser(value)))


def _pinned_python(folder: str) -> str:
    """The CPython version in ``.python-version``, or ""."""
    try:
        with open(os.path.join(folder, ".python-version"), encoding="utf-8") as handle:
            lines = [line.partition("#")[0].strip() for line in handle]
    except (OSError, UnicodeDecodeError):
        return ""
    first = next((line for line in lines if line), "").removeprefix("cpython@")
    return first if interpreter_discovery.is_version(first) else ""


def _index_options(lockfile: str) -> list[str]:
    """Options for the lockfile's indexes; PyPI stands for this machine's default index."""
    packages = read_toml(lockfile, "Recreate it with `uv lock`.").get("package") or ()
    registries: dict[str, str] = {}
    for package in packages:
        source = package.get("source") if isinstance(package, dict) else None
        if isinstance(source, dict) and "registry" in source:
            registries.setdefault(str(source["registry"]), str(package.get("name")))
    folder = os.path.dirname(lockfile)
    others = {url: name for url, name in registries.items() if not _PYPI.fullmatch(url)}
    lines = [_index_option(registry, name, folder) for registry, name in others.items()]
    if len(others) == len(registries) and lines and lines[0].startswith("--extra-index-url"):
        lines[0] = lines[0].replace("--extra-index-url", "--index-url")
    return lines


def _index_option(registry: str, package: str, folder: str) -> str:
    """The option for an index; a local directory without package folders is a folder of wheels."""
    if "://" in registry:
        return f"--extra-index-url {registry}"
    path = _resolve_path(registry, folder)
    if os.path.isdir(os.path.join(path, package)):
        return f"--extra-index-url file://{path}"
    return f"--find-links {path}"
