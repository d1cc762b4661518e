"""The worker process that runs py-rattler: reads requests and writes answers, one JSON per line.

It is started by its path, before scriptrun can be imported. rattler's threads run in this process,
which never forks and can be killed at any moment. It waits briefly for the next request, so that
one process both locks and builds an environment.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: seconds to wait for the next request before exiting
IDLE = 3.0
Told = dict[str, Any]
Say = Callable[[Told], None]


def main() -> None:
    """Answer requests until stdin is closed or none arrives in time."""
    goal = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # anything else that is printed must not mix with the answers

    def say(told: Told) -> None:
        goal.write(json.dumps(told) + "\n")
        goal.flush()

    sys.path[:0] = sys.argv[1:]  # the parent's path: this process started without site
    sys.path.append(str(Path(__file__).parents[3]))  # in the parent's path it may be ""
    sys.modules["ssl"] = None  # type: ignore[assignment]  # rattler brings its own TLS
    import asyncio

    import rattler  # noqa: F401 (imported while the parent prepares its request)

    while select.select([0], [], [], IDLE)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            break
        question = json.loads(line)
        try:
            say({"answer": asyncio.run(_VERBS[question["verb"]](question, say))})
        except Exception as error:
            say({"error": type(error).__name__, "message": str(error)})
        except BaseException as error:  # a panic in rattler derives from no Exception
            say({"error": "Panic", "message": str(error)})
        _digests()  # import it before the next request
    os._exit(0)  # rattler's threads crash if the interpreter shuts down under them


def _digests() -> Any:
    """Import the module that verifies digests, now that its package is on sys.path."""
    return importlib.import_module("scriptrun.environments.conda.digests")


_clients: dict[str, Any] = {}


def _client(logins: dict[str, str]) -> Any:
    """A client that logs in to the hosts of ``logins``, and to those in rattler's own settings."""
    named = json.dumps(logins)
    if named not in _clients:
        _clients[named] = _new_client(logins)
    return _clients[named]


def _new_client(logins: dict[str, str]) -> Any:
    from rattler import Client
    from rattler.networking import AddHeadersMiddleware, AuthenticationMiddleware, RetryMiddleware
    from rattler.networking.middleware import OciMiddleware

    def headers(host: str, path: str) -> dict[str, str] | None:
        login = logins.get(host)
        if login is None:
            return None
        return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}

    middlewares = [RetryMiddleware(2), AuthenticationMiddleware(), AddHeadersMiddleware(headers)]
    return Client([*middlewares, OciMiddleware()], user_agent="scriptrun")


async def _solve(question: Told, say: Say) -> Told:
    """Solve ``specs`` against ``channels``: exact packages, and the virtual packages considered."""
    import rattler

    overrides = rattler.VirtualPackageOverrides.from_env()
    if question.get("glibc"):
        overrides.libc = rattler.Override.string(question["glibc"])
    virtual = [each.into_generic() for each in rattler.VirtualPackage.detect(overrides)]
    specs = [rattler.MatchSpec(each) for each in question["specs"]]
    priority, client = rattler.ChannelPriority, _client(question["logins"])
    records = await rattler.solve(
        sources=[rattler.Channel(each) for each in question["channels"]],
        specs=specs,
        gateway=rattler.Gateway(cache_dir=Path(question["cache"], "repodata"), client=client),
        virtual_packages=virtual,
        channel_priority=priority.Strict if question["strict"] else priority.Disabled,
        strategy="lowest-direct" if question.get("lowest") else "highest",
    )
    return {
        "records": [json.loads(each.to_json()) for each in records],
        "virtual": [str(each) for each in virtual],
        "tool": f"py-rattler {rattler.__version__}",
    }


async def _install(question: Told, say: Say) -> Told:
    """Install the locked packages into ``prefix``, with the paths of ``elsewhere`` if given."""
    import rattler

    conda_digests = _digests()
    place = Path(question["cache"])
    cache = rattler.PackageCache.new_layered(
        [str(place / conda_digests.PACKAGES)], validation_mode=rattler.ValidationMode.full()
    )
    records = [_record(each) for each in question["records"]]
    conda_digests.drop(place)
    digests = conda_digests.Digests(place, question["files"])
    installing = rattler.install(
        records,
        target_prefix=question["prefix"],
        package_cache=cache,
        execute_link_scripts=True,
        client=_client(question["logins"]),
        reporter=_Reporter([str(each) for each in records], say, digests.wait),
        alternative_target_prefix=question.get("elsewhere"),
    )
    await digests.look_during(installing)
    return {}


async def _read_lock(question: Told, say: Say) -> Told:
    """The packages of an environment in a ``pixi.lock`` by platform; channels None: not found."""
    from rattler import LockFile

    lock = LockFile.from_path(Path(question["path"]))
    environment = lock.environment(question["environment"])
    names = [name for name, _ in lock.environments()]
    if environment is None:
        return {"environments": names, "channels": None}
    platforms = {
        each.name: {
            "conda": _locked(environment.conda_repodata_records_for_platform(each)),
            "pypi": [_told(one) for one in environment.pypi_packages_for_platform(each) or ()],
        }
        for each in environment.platforms()
    }
    channels = [str(each) for each in environment.channels()]
    return {"environments": names, "channels": channels, "platforms": platforms}


def _locked(records: Any) -> list[Told]:
    unkept = ("indexed_timestamp", "timestamp", "purls", "legacy_bz2_md5", "legacy_bz2_size")
    found = [json.loads(each.to_json()) for each in records or ()]
    return [{k: v for k, v in each.items() if k not in unkept} for each in found]


def _told(package: Any) -> Told:
    try:
        digest = package.hashes.sha256
    except AttributeError:  # local files and git repositories have none
        digest = None
    return {
        "name": package.name,
        "version": str(package.version),
        "location": str(package.location),
        "sha256": digest.hex() if digest else None,
    }


def _record(told: Told) -> Any:
    """A locked package as a rattler record."""
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    kept = ("build_number", "subdir", "arch", "platform", "noarch", "depends", "constrains")
    also = ("size", "features", "license", "license_family", "python_site_packages_path")
    record = PackageRecord(
        name=told["name"],
        version=told["version"],
        build=BuildString(told["build"]),
        sha256=bytes.fromhex(told["sha256"]) if told.get("sha256") else None,
        md5=bytes.fromhex(told["md5"]) if told.get("md5") else None,
        **{name: told[name] for name in (*kept, *also) if name in told},
    )
    return RepoDataRecord(record, told["fn"], told["url"], told["channel"])


class _Reporter:
    """Reports rattler's progress as lines; called from rattler's threads, so it must not raise."""

    def __init__(self, names: list[str], say: Say, wait: Callable[[str], None]) -> None:
        self._names, self._say, self._wait = names, say, wait

    def on_download_start(self, cache_entry: int) -> int:
        return cache_entry

    def on_link_start(self, operation: int, package_name: str) -> int:
        self._wait(package_name)
        found = next((each for each in self._names if each.startswith(f"{package_name}=")), "")
        self._say({"said": f" + {found or package_name}"})
        return operation

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: 0


_VERBS = {"solve": _solve, "install": _install, "read_lock": _read_lock}

if __name__ == "__main__":
    main()
