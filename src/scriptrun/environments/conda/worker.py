"""The worker process that runs py-rattler: reads requests and writes answers, one JSON per line.

It is started by its path, before scriptrun can be imported. rattler's threads run in this process,
which never forks and can be killed at any moment. It waits briefly for the next request, so that
one process both locks and builds an environment.
"""

from __future__ import annotations

import base64
import datetime
import importlib
import json
import os
import select
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from rattler import Client, RepoDataRecord
    from rattler.lock import PypiLockedPackage

    from scriptrun.runtime.hints import Json

    Reply = Callable[[Json], None]

#: seconds to wait for the next request before exiting
IDLE = 3.0


def main() -> None:
    """Answer requests until stdin is closed or none arrives in time."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # anything else that is printed must not mix with the answers

    def reply(message: Json) -> None:
        output.write(json.dumps(message) + "\n")
        output.flush()

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
            reply({"answer": asyncio.run(_VERBS[question["verb"]](question, reply))})
        except Exception as error:
            reply({"error": type(error).__name__, "message": str(error)})
        except BaseException as error:  # a panic in rattler derives from no Exception
            reply({"error": "Panic", "message": str(error)})
        _digests()  # import it before the next request
    os._exit(0)  # rattler's threads crash if the interpreter shuts down under them


def _digests() -> ModuleType:
    """Import the module that verifies digests, now that its package is on sys.path."""
    return importlib.import_module("scriptrun.environments.conda.digests")


_clients: dict[str, Client] = {}


def _client(logins: dict[str, str]) -> Client:
    """A client that logs in to the hosts of ``logins``, and to those in rattler's own settings."""
    key = json.dumps(logins)
    if key not in _clients:
        _clients[key] = _new_client(logins)
    return _clients[key]


def _new_client(logins: dict[str, str]) -> Client:
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


async def _solve(question: Json, reply: Reply) -> Json:
    """Solve ``specs`` against ``channels``: exact packages, and the virtual packages considered."""
    import rattler

    overrides = rattler.VirtualPackageOverrides.from_env()
    if question.get("glibc"):
        overrides.libc = rattler.Override.string(question["glibc"])
    virtual_packages = [
        package.into_generic() for package in rattler.VirtualPackage.detect(overrides)
    ]
    specs = [rattler.MatchSpec(spec) for spec in question["specs"]]
    priority, client = rattler.ChannelPriority, _client(question["logins"])
    newest = question.get("newest")
    records = await rattler.solve(
        sources=[rattler.Channel(channel) for channel in question["channels"]],
        specs=specs,
        gateway=rattler.Gateway(cache_dir=Path(question["cache"], "repodata"), client=client),
        virtual_packages=virtual_packages,
        channel_priority=priority.Strict if question["strict"] else priority.Disabled,
        strategy="lowest-direct" if question.get("lowest") else "highest",
        exclude_newer=datetime.datetime.fromisoformat(newest) if newest else None,
        timestamp_policy="allow-missing",
    )
    return {
        "records": [json.loads(record.to_json()) for record in records],
        "virtual": [str(virtual_package) for virtual_package in virtual_packages],
        "tool": f"py-rattler {rattler.__version__}",
    }


async def _install(question: Json, reply: Reply) -> Json:
    """Install the locked packages into ``prefix``, with the paths of ``elsewhere`` if given."""
    import rattler

    conda_digests = _digests()
    cache_folder = Path(question["cache"])
    package_cache = rattler.PackageCache.new_layered(
        [str(cache_folder / conda_digests.PACKAGES)], validation_mode=rattler.ValidationMode.full()
    )
    records = [_make_record(fields) for fields in question["records"]]
    conda_digests.drop(cache_folder)
    digests = conda_digests.Digests(cache_folder, question["files"])
    installation = rattler.install(
        records,
        target_prefix=question["prefix"],
        package_cache=package_cache,
        execute_link_scripts=True,
        client=_client(question["logins"]),
        reporter=_Reporter([str(record) for record in records], reply, digests.wait),
        alternative_target_prefix=question.get("elsewhere"),
    )
    await digests.look_during(installation)
    return {}


async def _read_lockfile(question: Json, reply: Reply) -> Json:
    """The packages of an environment in a ``pixi.lock`` by platform; channels None: not found."""
    from rattler import LockFile

    lockfile = LockFile.from_path(Path(question["path"]))
    environment = lockfile.environment(question["environment"])
    names = [name for name, _ in lockfile.environments()]
    if environment is None:
        return {"environments": names, "channels": None}
    platforms = {
        platform.name: {
            "conda": _locked_records(environment.conda_repodata_records_for_platform(platform)),
            "pypi": [
                _pypi_package(package)
                for package in environment.pypi_packages_for_platform(platform) or ()
            ],
        }
        for platform in environment.platforms()
    }
    channels = [str(channel) for channel in environment.channels()]
    return {"environments": names, "channels": channels, "platforms": platforms}


def _locked_records(records: Iterable[RepoDataRecord] | None) -> list[Json]:
    volatile = ("indexed_timestamp", "timestamp", "purls", "legacy_bz2_md5", "legacy_bz2_size")
    rows = [json.loads(record.to_json()) for record in records or ()]
    return [{k: v for k, v in row.items() if k not in volatile} for row in rows]


def _pypi_package(package: PypiLockedPackage) -> Json:
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


def _make_record(fields: Json) -> RepoDataRecord:
    """A locked package as a rattler record."""
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    required_names = (
        "build_number",
        "subdir",
        "arch",
        "platform",
        "noarch",
        "depends",
        "constrains",
    )
    optional_names = ("size", "features", "license", "license_family", "python_site_packages_path")
    record = PackageRecord(
        name=fields["name"],
        version=fields["version"],
        build=BuildString(fields["build"]),
        sha256=bytes.fromhex(fields["sha256"]) if fields.get("sha256") else None,
        md5=bytes.fromhex(fields["md5"]) if fields.get("md5") else None,
        **{name: fields[name] for name in (*required_names, *optional_names) if name in fields},
    )
    return RepoDataRecord(record, fields["fn"], fields["url"], fields["channel"])


class _Reporter:
    """Reports rattler's progress as lines; called from rattler's threads, so it must not raise."""

    def __init__(self, names: list[str], reply: Reply, wait: Callable[[str], None]) -> None:
        self._names, self._reply, self._wait = names, reply, wait

    def on_download_start(self, cache_entry: int) -> int:
        return cache_entry

    def on_link_start(self, operation: int, package_name: str) -> int:
        self._wait(package_name)
        label = next((name for name in self._names if name.startswith(f"{package_name}=")), "")
        self._reply({"said": f" + {label or package_name}"})
        return operation

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: 0


_VERBS = {"solve": _solve, "install": _install, "read_lock": _read_lockfile}

if __name__ == "__main__":
    main()
