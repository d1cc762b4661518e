"""pip packages in a conda prefix: locked against the conda packages, installed by uv."""

from __future__ import annotations

import os

from scriptrun.environments.builder import Lockfile, Log, Stop
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.uv import index_credentials
from scriptrun.environments.uv import lock as uv_lock
from scriptrun.environments.uv import relax_pins as uv_relax_pins
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.environments.uv.as_of import Dated
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.store import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def lock_requirements(
    spec: EnvironmentSpec, python: str, records: list[Json], log: Log, stop: Stop
) -> tuple[Dated, uv_lock.Changes]:
    """The locked pip requirements with versions and hashes, and the pins that changed.

    The conda packages stay as they are; pip packages are resolved to be compatible with them.
    """
    request = uv_requirements.from_spec(spec.replace(conda=(), python=None))
    conda_versions = dict(_python_packages(records))
    with scratch.Scratch("lock") as folder:
        path = os.path.join(folder, "conda_packages.txt")
        constraints = [f"{name}=={version}\n" for name, version in conda_versions.items()]
        write_atomic(path, "".join(constraints).encode(), durable=False)
        flags = ["--constraints", path]
        for name in conda_versions:
            flags += ["--no-emit-package", name]
        dated, changes = uv_lock.lock_for_version(request, python, tuple(flags), spec, log, stop)
    if spec.pins == EXACT:
        return dated, {}
    return dated, {
        **uv_relax_pins.changed_pins(uv_relax_pins.parse_pins(request.lines), "".join(constraints)),
        **changes,
    }


def install(spec: EnvironmentSpec, lockfile: Lockfile, python: str, log: Log, stop: Stop) -> None:
    """Install the locked requirements into the prefix of ``python``; conda packages stay."""
    text = lockfile["requirements"]
    options, flags = uv_requirements.from_spec(spec.replace(conda=(), python=None)).for_sync()
    content, secrets = index_credentials.filled("\n".join([*options, text]))
    with uv_tool.own_folder("build") as folder:
        path = os.path.join(folder, "requirements.txt")
        write_atomic(path, content.encode(), 0o600, durable=False)
        arguments = ["pip", "install", "--python", python, "--no-deps", "--break-system-packages"]
        arguments += ["--require-hashes"] if uv_requirements.all_hashed(text) else []
        arguments += ["--refresh"] if lockfile.get("local") else []
        uv_tool.run([*arguments, *flags, "-r", path], folder, log, stop, secrets)


def _python_packages(records: list[Json]) -> list[tuple[str, str]]:
    """The Python packages among the conda records: PyPI names and versions."""
    return [
        (pypi_names.pypi_name(record["name"]), record["version"])
        for record in records
        if record["name"] != "python"
        and (record.get("noarch") == "python" or _needs_python(record))
        and not record["name"].startswith("_")
    ]


def _needs_python(record: Json) -> bool:
    names = {dependency.split()[0] for dependency in record.get("depends") or ()}
    return "python" in names or "python_abi" in names
