"""A conda request made exact: every package with build, address and digests, pip's on top."""

from __future__ import annotations

import datetime

from scriptrun.environments import conda_channels, conda_tool, conda_wishes, pythons
from scriptrun.environments.base import Lock, Log, Stop, platform_tag
from scriptrun.environments.conda_errors import Unsolvable
from scriptrun.environments.conda_tool import Ask
from scriptrun.environments.conda_wishes import Wishes
from scriptrun.environments.locks import FORMAT
from scriptrun.spec.environment import CONDA, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.spec.later import later

if TYPE_CHECKING:
    from scriptrun.environments import conda_pip
else:
    conda_pip = later("scriptrun.environments.conda_pip")

#: what a channel's list tells of a package and nothing is built from
_UNKEPT = ("indexed_timestamp", "timestamp", "legacy_bz2_md5", "legacy_bz2_size")


def resolve(spec: EnvironmentSpec, log: Log, stop: Stop) -> Lock:
    """The lock of ``spec`` for this platform. Raises EnvironmentException with the reason."""
    reasons = conda_wishes.troubles(spec)
    if reasons:
        raise EnvironmentException("\n".join(reasons))
    wishes = conda_wishes.of(spec)
    log(f"Asking {', '.join(map(conda_channels.bare, wishes.channels))} for conda packages.")
    with conda_tool.asking(log, stop) as ask:
        answer, notes = _solved(ask, wishes, log)
    records = answer["records"]
    python = _python(records)
    kept = sorted((_kept(each) for each in records), key=lambda each: str(each["name"]))
    pip = ""
    if spec.pip:
        pip = conda_pip.locked(spec, python, kept, log, stop)
    lock: Lock = {
        "format": FORMAT,
        "kind": CONDA,
        "platform": platform_tag(),
        "python": python,
        "conda": kept,
        "requirements": pip,
        **({"local": spec.local} if spec.local else {}),
        "requested": [*filter(None, [wishes.python]), *wishes.specs, *spec.pip],
        "notes": [_said(wishes), *notes],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": answer["tool"],
    }
    return lock


def _solved(ask: Ask, wishes: Wishes, log: Log) -> tuple[dict[str, Any], list[str]]:
    """rattler's answer, and what is to be said of how they were found.

    A Python that nobody asked for is of this code's own minor version if there is one that fits.
    Channels are strict: the first that has a package is the only one for it, unless that way there
    is no solution.
    """
    own = ".".join(map(str, pythons.interpreters_minor()))
    first = wishes.python or f"python {own}.*"
    tries = [(first, True, "")]
    if not wishes.python:
        tries.append(("python", True, f"Python {own} does not go with the packages."))
    if len(wishes.channels) > 1:
        note = "Packages are taken from later channels too: the first that has one does not do."
        tries.append((wishes.python or "python", False, note))
    found = map(conda_channels.expanded, wishes.channels)
    channels = [conda_channels.without_login(each) for each in found]
    logins = conda_channels.logins(wishes.channels)
    failure: Unsolvable | None = None
    for python, strict, note in tries:
        try:
            specs = [*wishes.specs, python]
            answer = ask("solve", specs=specs, channels=channels, logins=logins, strict=strict)
        except Unsolvable as error:
            failure = error
            continue
        if note:
            log(note)
        return answer, [note] if note else []
    assert failure is not None
    raise failure


def _python(records: list[dict[str, Any]]) -> str:
    return next((str(each["version"]) for each in records if each["name"] == "python"), "")


def _kept(record: dict[str, Any]) -> dict[str, Any]:
    """What the lock holds of a package: no time, no password."""
    kept = {name: value for name, value in record.items() if name not in _UNKEPT}
    for name in ("url", "channel"):
        kept[name] = conda_channels.bare(kept[name])
    return kept


def _said(wishes: Wishes) -> str:
    channels = ", ".join(map(conda_channels.bare, wishes.channels))
    named = ", ".join(wishes.specs) or "Python"
    return f"Conda packages are installed by py-rattler from {channels}: {named}."
