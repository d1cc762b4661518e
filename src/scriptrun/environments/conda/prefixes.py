"""Find and read the conda environments of this machine without conda.

They are listed in ``~/.conda/environments.txt``, which conda and mamba maintain; others are the
active one, those in ``envs`` of the usual roots and in ``envs_dirs``, and pixi's in ``.pixi/envs``
of a project. Their packages are in ``conda-meta`` (https://docs.conda.io/projects/conda/en/stable/dev-guide/specs/conda-meta.html).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from scriptrun.environments import site_packages
from scriptrun.environments.conda import settings as conda_settings
from scriptrun.spec import accounts
from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_ROOTS = (
    *("~/miniforge3", "~/mambaforge", "~/miniconda3", "~/miniconda", "~/anaconda3", "~/anaconda"),
    *("~/micromamba", "~/.local/share/mamba", "~/.conda"),
    *("/opt/conda", "/opt/miniforge3", "/opt/miniconda3", "/opt/anaconda3", "/opt/mamba"),
)
_BASE = ("base", "root")


def find(name: str) -> str | None:
    """The prefix of the environment ``name`` ("base" is conda's own), which may be a path."""
    if os.sep in name:
        path = os.path.abspath(os.path.expanduser(name))
        return path if is_prefix(path) else None
    for prefix in _base_prefixes() if name in _BASE else _candidate_prefixes(name):
        if is_prefix(prefix):
            return prefix
    return None


def is_prefix(path: str) -> bool:
    """Whether ``path`` is a conda environment."""
    return os.path.isdir(os.path.join(path, "conda-meta"))


def content(prefix: str) -> Json:
    """The packages of ``prefix`` as a conda file: versions without builds, and pip packages.

    The channels are those that the packages came from, sorted by number of packages.
    """
    records = list(_records(prefix))
    conda = sorted(f"{record['name']}={record['version']}" for record in records)
    counts: dict[str, int] = {}
    for package in records:
        name = channel_name(str(package.get("channel") or ""))
        counts[name] = counts.get(name, 0) + 1
    channels = sorted(filter(None, counts), key=lambda name: -counts[name])
    pip = _pip_requirements(prefix, records)
    return {
        "name": os.path.basename(prefix),
        "dependencies": [*conda, {"pip": pip}] if pip else conda,
        "channels": channels,
    }


def channel_name(address: str) -> str:
    """The channel's name on anaconda.org, else its URL; "" for no channel."""
    address = re.sub(r"/(?:noarch|(?:linux|osx|win)-\w+)/?$", "", address).rstrip("/")
    if re.search(r"//repo\.(anaconda\.com|continuum\.io)/pkgs/", address):
        return "defaults"
    name = re.sub(r"^https?://conda\.anaconda\.org/", "", address)
    return "" if name in ("<unknown>", "pypi", "@") else name


def _records(prefix: str) -> Iterator[Json]:
    for path in sorted(Path(prefix, "conda-meta").glob("*.json")):
        try:
            record = json_reader.parse(document_limits.read_text(path, DATA), DATA)
        except (OSError, ValueError):
            continue
        if isinstance(record, dict) and record.get("name") and record.get("version"):
            yield record


def _pip_requirements(prefix: str, records: list[Json]) -> list[str]:
    """The distributions that no conda package installed; those from a URL are named by it."""
    conda_metadata = {
        name
        for record in records
        for file in record.get("files") or ()
        for name in file.split("/")
        if site_packages.is_metadata(name)
    }
    requirements = []
    for site in site_packages.find_folders(prefix):
        for entry in site_packages.names([site]):
            parsed = site_packages.distribution(entry)
            if parsed is not None and entry not in conda_metadata:
                requirements.append(_requirement(Path(site, entry), *parsed))
    return sorted(requirements)


def _mapping(value: Json, name: str) -> Json:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _requirement(metadata: Path, name: str, version: str) -> str:
    """``name==version``, or the URL that it was installed from (PEP 610's direct_url.json)."""
    try:
        direct_url = json_reader.parse(document_limits.read_text(metadata / "direct_url.json"))
    except (OSError, ValueError):
        return f"{name}=={version}"
    if not isinstance(direct_url, dict):
        return f"{name}=={version}"
    address = str(direct_url.get("url", ""))
    if _mapping(direct_url, "dir_info").get("editable"):
        return f"-e {address.removeprefix('file://')}"
    commit = _mapping(direct_url, "vcs_info").get("commit_id")
    return f"{name} @ git+{address}@{commit}" if commit else f"{name} @ {address}"


def _candidate_prefixes(name: str) -> Iterator[str]:
    for prefix in (*_active_prefixes(), *_registered_prefixes()):
        if os.path.basename(prefix) == name:
            yield prefix
    for folder in _environment_folders():
        yield os.path.join(folder, name)
    cwd = Path.cwd()
    for project in (cwd, *cwd.parents):
        if not accounts.is_of_another(project / ".pixi"):
            yield str(project / ".pixi" / "envs" / name)


def _base_prefixes() -> Iterator[str]:
    for prefix in (*_active_prefixes(), *_registered_prefixes()):
        if any(
            os.path.isdir(os.path.join(prefix, subfolder)) for subfolder in ("condabin", "envs")
        ):
            yield prefix
    yield from _roots()


def _active_prefixes() -> list[str]:
    return [os.environ["CONDA_PREFIX"]] if os.environ.get("CONDA_PREFIX") else []


def _registered_prefixes() -> list[str]:
    try:
        text = Path("~/.conda/environments.txt").expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _environment_folders() -> Iterator[str]:
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        yield from filter(None, os.environ.get(variable, "").split(os.pathsep))
    yield from map(
        os.path.expanduser, conda_settings.as_list(conda_settings.settings().get("envs_dirs"))
    )
    for root in _roots():
        yield os.path.join(root, "envs")


def _roots() -> Iterator[str]:
    if os.environ.get("MAMBA_ROOT_PREFIX"):
        yield os.environ["MAMBA_ROOT_PREFIX"]
    if os.environ.get("CONDA_EXE"):
        yield os.path.dirname(os.path.dirname(os.environ["CONDA_EXE"]))
    for prefix in (*_active_prefixes(), *_registered_prefixes()):
        if os.path.basename(os.path.dirname(prefix)) == "envs":
            yield os.path.dirname(os.path.dirname(prefix))
    yield from map(os.path.expanduser, _ROOTS)
