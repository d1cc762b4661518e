"""What the SDK's packages (azureml-...) brought with them: other packages, and their time.

``sdk_packages.json`` was made from the public metadata of each minor version (Requires-Dist, also
of the SDK's packages in it). A requirement ``pyarrow<2.0.0 @3.8`` holds up to Python 3.8, the last
one that such a version has wheels for; a newer Python gets any version.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Collection, Iterable

from scriptrun.config.environments.requirements import requirement_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: what jobs that name these packages need, whatever their version
_ALWAYS = {
    "azureml-dataprep": ("pandas", "pyarrow"),  # reading datasets needs them
    "azureml-dataset-runtime": ("pandas", "pyarrow"),
    "azureml-opendatasets": ("pandas", "pyarrow"),
    "azureml-tensorboard": ("tensorboard",),
}
#: the version that stands for an unversioned requirement: the last one with MLflow 2
_LAST = (1, 60)
_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^\]]*)\])?(?P<clauses>[^;]*)")
_CLAUSE = re.compile(r"(===?|~=|<=?)\s*(\d+(?:\.\d+)*)")
#: their versions are not those of the SDK, so that they tell no release of it
_OWN_VERSIONS = ("azureml-dataprep",)


def is_sdk(requirement: str) -> bool:
    """Whether ``requirement`` names one of the SDK's packages."""
    return requirement_name(requirement).startswith("azureml-")


def dependencies(requirement: str, excluded: Collection[str] = ()) -> list[str]:
    """The requirement lines that the SDK's package ``requirement`` brought, by name.

    ``excluded`` are the names of packages that are requested already.
    """
    name, extras = _name_and_extras(requirement)
    found = dict.fromkeys(_ALWAYS.get(name, ()), "")
    for key in (name, *(f"{name}[{extra}]" for extra in extras)):
        found |= _row(key, _version(requirement))
    if "mlflow-skinny" in found or "mlflow" in excluded:
        found.pop("mlflow", None)
    if "mlflow" in excluded:
        found.pop("mlflow-skinny", None)
    return [
        line
        for dependency, bound in sorted(found.items())
        if dependency not in excluded
        for line in _lines(dependency, bound)
    ]


def all_dependencies(requirements: Iterable[str], excluded: Collection[str] = ()) -> list[str]:
    """What all of ``requirements`` brought; of two bounds, the first one counts."""
    added: list[str] = []
    for requirement in requirements:
        added += dependencies(requirement, {*excluded, *map(requirement_name, added)})
    return added


def defaults() -> list[str]:
    """What an unversioned azureml-defaults brought that jobs import without naming it."""
    return ["numpy", "pandas", "requests"]


def release(requirements: Collection[str]) -> str:
    """The newest release that ``requirements`` pin, as "DAY NAME==VERSION"; "" for none."""
    found = []
    for requirement in requirements:
        name, version = requirement_name(requirement), _version(requirement, exact=True)
        if version and is_sdk(requirement) and not name.startswith(_OWN_VERSIONS):
            found.append(_release(f"{name}==", version))
    return max(found, default="")


def last_release() -> str:
    """The release that packages of the SDK without a version mean, as "DAY NAME VERSION"."""
    return _release("azureml-sdk ", _LAST)


def _release(label: str, version: tuple[int, ...]) -> str:
    releases: dict[str, str] = _table()["releases"]
    days = [day for minor, day in releases.items() if _numbers(minor) <= version]
    return f"{max(days)} {label}{'.'.join(map(str, version))}" if days else ""


def _row(key: str, version: tuple[int, ...] | None) -> dict[str, str]:
    """The bounds by name of the table's package ``key``; without a version, all names."""
    rows: dict[str, list[str]] = _table()["packages"].get(key, {})
    earlier = [row for minor, row in rows.items() if _numbers(minor) <= (version or _LAST)[:2]]
    row = earlier[-1] if earlier else next(iter(rows.values()), [])
    found = dict(map(_split, row))
    if version is not None:
        return found
    return {name: "" for each in rows.values() for name, _ in map(_split, each)} | found


def _split(entry: str) -> tuple[str, str]:
    name = re.split(r"[<>=@ ]", entry, maxsplit=1)[0]
    return name, entry[len(name) :]


def _lines(name: str, bound: str) -> list[str]:
    bound, _, python = bound.partition(" @")
    if not python:
        return [name + bound]
    return [
        f'{name}{bound}; python_version <= "{python}"',
        f'{name}; python_version > "{python}"',
    ]


def _name_and_extras(requirement: str) -> tuple[str, list[str]]:
    match = _REQUIREMENT.match(requirement)
    extras = (match["extras"] or "") if match else ""
    return requirement_name(requirement), [each.strip() for each in extras.split(",") if each]


def _version(requirement: str, *, exact: bool = False) -> tuple[int, ...] | None:
    """The newest version that ``requirement`` allows; None if it allows any, or is not a pin."""
    match = _REQUIREMENT.match(requirement)
    for operator, text in _CLAUSE.findall(match["clauses"] if match else ""):
        numbers = _numbers(text)
        if operator in ("==", "===") or (operator == "~=" and len(numbers) > 2):
            return numbers
        if operator.startswith("<") and not exact:
            return numbers if operator == "<=" else (*numbers[:-1], numbers[-1] - 1)
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@functools.cache
def _table() -> Json:
    path = os.path.join(os.path.dirname(__file__), "sdk_packages.json")
    with open(path, encoding="utf-8") as handle:
        table: Json = json.load(handle)
    return table
