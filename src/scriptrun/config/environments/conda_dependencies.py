"""CondaDependencies: a conda environment file as a value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from scriptrun.config.environments import conda_file
from scriptrun.config.environments.requirement_files import expand_lines
from scriptrun.config.environments.requirements import (
    is_option,
    requirement_name,
    split_name,
    split_option,
)
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import copy

    from scriptrun.config.environments import index_logins
    from scriptrun.runtime.hints import Json
else:
    copy = later("copy")
    index_logins = later("scriptrun.config.environments.index_logins")

PYTHON_DEFAULT_VERSION = "3.8.13"
#: the defaults of SDK versions: a version that is one of them counts as not set
SDK_PYTHON_VERSIONS = frozenset({"3.6.2", "3.8.13", "3.10.18"})
CONDA_FILE_NAME = "conda_dependencies.yml"


def conda_name(package: str) -> str:
    """The name in a conda package specification: ``conda-forge::numpy>=1.2`` gives ``numpy``."""
    return split_name(package.rpartition("::")[2])[0].lower() or package.strip()


def conda_version(package: str) -> str:
    """The version specifier without a build string: ``python=3.8.1=h0`` gives ``=3.8.1``."""
    rest = split_name(package.rpartition("::")[2])[1]
    if rest.startswith("[") and "version=" in rest:  # python[version='>=3.8']
        value = rest.partition("version=")[2]
        quote = value[:1]
        is_quoted = quote in ("'", '"')
        rest = value[1:].partition(quote)[0] if is_quoted else re.split(r"[,\]]", value)[0]
    body = rest[1:].lstrip() if rest.startswith("=") else rest
    if not body[:1].isdigit():
        return rest
    return "=" + body.split("=")[0].split()[0]


class CondaDependencies:
    """Python, conda packages, channels and pip packages, as in a conda environment file.

    Without a file it holds the SDK's defaults: the default Python and azureml-defaults. In a file,
    nested requirement files (``-r``) are included and relative paths are made absolute; comments
    are preserved when it is written. Equal by content. Raises UserErrorException for a file that
    is missing or malformed.
    """

    DEFAULT_NUMBER_OF_CONDA_PACKAGES = 0
    DEFAULT_NUMBER_OF_PIP_PACKAGES = 0

    def __init__(self, conda_dependencies_file_path: str | os.PathLike[str] | None = None) -> None:
        self._content: Json
        self._source = ""
        self._path = os.fspath(conda_dependencies_file_path or "")
        if conda_dependencies_file_path is None:
            self._content = _default_content()
        else:
            self._content, self._source = conda_file.read(conda_dependencies_file_path)
            self._set_pip_lines(
                expand_lines(self._pip_lines(), conda_dependencies_file_path, self._source)
            )

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Sequence[str] | None = None,
        conda_packages: Sequence[str] | None = None,
        python_version: str | None = None,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Dependencies from lists. ``pin_sdk_version`` changes nothing: the SDK is not built."""
        dependencies = CondaDependencies()
        if python_version is not None:
            dependencies.set_python_version(python_version)
        if pip_indexurl:
            dependencies.set_pip_index_url(pip_indexurl)
        for package in _as_list(conda_packages):
            dependencies.add_conda_package(package)
        for package in _as_list(pip_packages):
            dependencies.add_pip_package(package)
        return dependencies

    @staticmethod
    def from_dict(content: object) -> CondaDependencies:
        """Dependencies from a conda environment file's content."""
        dependencies = CondaDependencies()
        dependencies._content = conda_file.normalize(content)
        return dependencies

    # reading

    @property
    def conda_packages(self) -> list[str]:
        """The conda packages, Python among them."""
        return [entry for entry in self._content["dependencies"] if isinstance(entry, str)]

    @property
    def conda_channels(self) -> list[str]:
        """The channels, in order."""
        return list(self._content["channels"])

    @property
    def pip_packages(self) -> list[str]:
        """The pip requirements, without pip's options."""
        return [line for line in self._pip_lines() if not is_option(line)]

    @property
    def pip_options(self) -> list[str]:
        """The lines among the pip requirements that are options of pip."""
        return [line for line in self._pip_lines() if is_option(line)]

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables under the key ``variables``, as texts."""
        return dict(self._content.get("variables") or {})

    @property
    def warnings(self) -> list[str]:
        """Warnings about the file or specification: keys that have no effect."""
        where = f"conda file {self._path!r}" if self._path else "the conda specification"
        warning = conda_file.unknown_keys_warning(self._content, where)
        return [warning] if warning else []

    @property
    def uv_settings(self) -> Json:
        """A table like ``[tool.uv]`` of pyproject.toml: ``sources``, ``index`` and so on.

        In a conda file it is under the key ``uv``, which conda ignores.
        """
        return dict(self._content.get("uv") or {})

    @uv_settings.setter
    def uv_settings(self, settings: Json) -> None:
        self._content.pop("uv", None)
        if settings:
            self._content["uv"] = dict(settings)

    @property
    def locked(self) -> Json:
        """The packages of a pixi lockfile by platform; empty if nothing is locked."""
        return dict(self._content.get("locked") or {})

    def get_python_version(self) -> str | None:
        """The Python version as written ("3.8.13"), or None."""
        for package in self.conda_packages:
            if conda_name(package) == "python":
                return conda_version(package).lstrip("=").strip() or None
        return None

    def get_default_number_of_packages(self) -> int:
        """The number of packages that are included by default: 0."""
        return self.DEFAULT_NUMBER_OF_CONDA_PACKAGES + self.DEFAULT_NUMBER_OF_PIP_PACKAGES

    # changing

    def set_python_version(self, version: str | None) -> None:
        """Require Python ``version``: "3.8", or a specifier such as ">=3.8"; None for any."""
        version = "" if version is None else str(version).strip()
        spec = f"python={version}" if version[:1].isdigit() else f"python{version}"
        others = [
            entry
            for entry in self._content["dependencies"]
            if not _is_conda_package(entry, "python")
        ]
        self._content["dependencies"] = [spec, *others]

    def add_channel(self, channel: str) -> None:
        """Add a conda channel, last in order."""
        if channel not in self._content["channels"]:
            self._content["channels"].append(channel)

    def remove_channel(self, channel: str) -> None:
        """Remove a conda channel; a missing one is ignored."""
        self._content["channels"] = [name for name in self.conda_channels if name != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Add a conda package; one of the same name is replaced."""
        name = conda_name(_package_text(conda_package))
        if name == "python":
            self.set_python_version(conda_version(conda_package).lstrip("="))
            return
        self.remove_conda_package(name)
        position = len(self.conda_packages)
        self._content["dependencies"].insert(position, conda_package)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove the conda package of that name; a missing one is ignored."""
        name = conda_name(conda_package)
        entries = self._content["dependencies"]
        self._content["dependencies"] = [
            entry for entry in entries if not _is_conda_package(entry, name)
        ]

    def add_pip_package(self, pip_package: str) -> None:
        """Add a pip requirement or option; a requirement of the same name is replaced."""
        if is_option(_package_text(pip_package)):
            self._set_pip_lines([*self._pip_lines(), pip_package])
            return
        self.remove_pip_package(pip_package)
        self._set_pip_lines([*self._pip_lines(), pip_package])

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove the pip requirement of that name; a missing one is ignored."""
        name = requirement_name(pip_package)
        self._set_pip_lines(
            [
                line
                for line in self._pip_lines()
                if is_option(line) or requirement_name(line) != name
            ]
        )

    def set_pip_requirements(self, pip_requirements: Iterable[str]) -> None:
        """Replace all pip requirements and options with ``pip_requirements``."""
        self._set_pip_lines(list(_as_list(pip_requirements)))

    def set_pip_index_url(self, index_url: str) -> None:
        """Install packages from the index ``index_url`` (optionally prefixed ``--index-url``)."""
        self.set_pip_option(index_url if is_option(index_url) else f"--index-url {index_url}")

    def set_pip_option(self, pip_option: str) -> None:
        """Set a pip option, replacing one of the same name (except ``--extra-index-url``)."""
        if split_option(pip_option)[0] != "--extra-index-url":
            self.remove_pip_option(pip_option)
        self._set_pip_lines(
            [pip_option, *[line for line in self._pip_lines() if line != pip_option]]
        )

    def remove_pip_option(self, pip_option: str) -> None:
        """Remove the options of that name, if any."""
        name = split_option(pip_option)[0]
        others = [
            line
            for line in self._pip_lines()
            if not is_option(line) or split_option(line)[0] != name
        ]
        self._set_pip_lines(others)

    def add_tensorflow_pip_package(
        self, core_type: str = "cpu", version: str | None = None
    ) -> None:
        """Add tensorflow, or tensorflow-gpu where ``core_type`` is "gpu", from pip."""
        self.add_pip_package(_package_for_core("tensorflow", core_type, "==", version))

    def add_tensorflow_conda_package(
        self, core_type: str = "cpu", version: str | None = None
    ) -> None:
        """Add tensorflow, or tensorflow-gpu where ``core_type`` is "gpu", from conda."""
        self.add_conda_package(_package_for_core("tensorflow", core_type, "=", version))

    def add_cntk_package(self, core_type: str = "cpu") -> None:
        """Add cntk, or cntk-gpu where ``core_type`` is "gpu", from pip."""
        self.add_pip_package(_package_for_core("cntk", core_type, "==", None))

    @staticmethod
    def merge_requirements(requirements: Iterable[str]) -> list[str]:
        """Merge to one requirement per distribution, joining version specifiers with commas."""
        merged: dict[str, str] = {}
        for requirement in requirements:
            name = requirement_name(requirement)
            specifier = split_name(requirement)[1]
            merged[name] = (
                f"{merged[name]},{specifier}"
                if merged.get(name) and specifier
                else (merged.get(name) or requirement.strip())
            )
        return list(merged.values())

    @staticmethod
    def sdk_origin_url() -> str:
        """The index of the SDK's own packages: empty, so pip's configured index is used."""
        return ""

    # writing

    def as_dict(self) -> Json:
        """The content of a conda environment file: name, dependencies, channels."""
        return copy.deepcopy(self._content)

    def without_logins(self) -> Json:
        """``as_dict``, with references to secrets instead of passwords in URLs."""
        pip = self._pip_lines()
        if not any("@" in line and "://" in line for line in pip):
            return self.as_dict()
        return index_logins.without_passwords(self.as_dict())

    def serialize_to_string(self) -> str:
        """The conda environment file as YAML text."""
        return conda_file.to_text(self._content, self._source)

    def save_to_file(
        self, base_directory: str | os.PathLike[str], conda_file_path: str | None = None
    ) -> str:
        """Write the file below ``base_directory`` and return its path relative to it."""
        name = conda_file_path or CONDA_FILE_NAME
        conda_file.write(os.path.join(base_directory, name), self._content, self._source)
        return name

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the file to ``path`` (a file or directory; default: ``.``); return its path."""
        file_path = os.fspath(path or CONDA_FILE_NAME)
        if os.path.isdir(file_path):
            file_path = os.path.join(file_path, CONDA_FILE_NAME)
        conda_file.write(file_path, self._content, self._source)
        return file_path

    def _pip_lines(self) -> list[str]:
        for entry in self._content["dependencies"]:
            if isinstance(entry, dict):
                return list(entry["pip"])
        return []

    def _set_pip_lines(self, lines: list[str]) -> None:
        conda_packages = self.conda_packages
        self._content["dependencies"] = (
            [*conda_packages, {"pip": lines}] if lines else conda_packages
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CondaDependencies):
            return NotImplemented
        return self._content == other._content

    # mutable, so equal by content and not hashable, as in v1
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"CondaDependencies(conda={self.conda_packages!r}, pip={self._pip_lines()!r})"


def _default_content() -> Json:
    return {
        "name": "project_environment",
        "dependencies": [f"python={PYTHON_DEFAULT_VERSION}", {"pip": ["azureml-defaults"]}],
        "channels": ["anaconda", "conda-forge"],
    }


def _as_list(packages: Iterable[str] | None) -> Iterable[str]:
    return [packages] if isinstance(packages, str) else packages or ()


def _package_text(package: object) -> str:
    if isinstance(package, str):
        return package
    raise UserErrorException(
        f"A package must be a string; {package!r} is a {type(package).__name__}.",
        "Use e.g. 'numpy' or 'numpy==1.26.4'.",
    )


def _is_conda_package(entry: object, name: str) -> bool:
    return isinstance(entry, str) and conda_name(entry) == name


def _package_for_core(name: str, core_type: str, operator: str, version: str | None) -> str:
    package = f"{name}-gpu" if core_type == "gpu" else name
    return f"{package}{operator}{version}" if version else package
