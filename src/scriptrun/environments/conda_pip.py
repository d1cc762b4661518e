"""pip's packages on top of a conda prefix: locked against what conda brings, installed by uv."""

from __future__ import annotations

import os
import tempfile

from scriptrun.environments import (
    conda_names,
    index_credentials,
    relaxing,
    requests,
    uv_lock,
    uv_tool,
)
from scriptrun.environments.base import Lock, Log, Stop
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.spec.hints import Any


def locked(
    spec: EnvironmentSpec, python: str, records: list[dict[str, Any]], log: Log, stop: Stop
) -> tuple[str, uv_lock.Changes]:
    """The requirements of ``spec.pip`` with versions and hashes, and the pins that changed.

    What conda installs stays as it is: pip's packages are chosen to go with it.
    """
    request = requests.of(spec.replace(conda=(), python=None))
    brought = dict(_brought(records))
    with tempfile.TemporaryDirectory(prefix="scriptrun-lock-") as folder:
        path = os.path.join(folder, "brought.txt")
        lines = [f"{name}=={version}\n" for name, version in brought.items()]
        write_atomic(path, "".join(lines).encode())
        flags = ["--constraints", path]
        for name in brought:
            flags += ["--no-emit-package", name]
        text, changes = uv_lock.for_one(request, python, tuple(flags), spec.pins, log, stop)
    if spec.pins == EXACT:
        return text, {}
    return text, {**relaxing.changed(relaxing.pins_of(request.lines), "".join(lines)), **changes}


def install(spec: EnvironmentSpec, lock: Lock, python: str, log: Log, stop: Stop) -> None:
    """Put the locked requirements into the prefix of ``python``, over nothing of conda's."""
    text = lock["requirements"]
    options, flags = requests.of(spec.replace(conda=(), python=None)).for_sync()
    told, private = index_credentials.filled("\n".join([*options, text]))
    with tempfile.TemporaryDirectory(prefix="scriptrun-build-") as folder:
        path = os.path.join(folder, "requirements.txt")
        write_atomic(path, told.encode(), 0o600)
        words = ["pip", "install", "--python", python, "--no-deps", "--break-system-packages"]
        words += ["--require-hashes"] if requests.all_hashed(text) else []
        words += ["--refresh"] if lock.get("local") else []
        uv_tool.run([*words, *flags, "-r", path], folder, log, stop, private)


def _brought(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The Python packages among conda's, by the names that they have on PyPI."""
    return [
        (conda_names.RENAMED.get(each["name"], each["name"]), each["version"])
        for each in records
        if each["name"] != "python"
        and (each.get("noarch") == "python" or _needs_python(each))
        and not each["name"].startswith("_")
    ]


def _needs_python(record: dict[str, Any]) -> bool:
    names = {need.split()[0] for need in record.get("depends") or ()}
    return "python" in names or "python_abi" in names
