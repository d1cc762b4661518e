"""The container tool of this machine: podman or docker, by its command line.

It is the one that ``SCRIPTRUN_CONTAINER_TOOL`` names (a program or its path; ``none`` disables
containers), else podman, else docker. What it reports about itself is cached until the program or
its settings change.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from scriptrun.runtime import files
from scriptrun.runtime.containers import podman
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value, as_object
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds to wait for the tool's answer
PATIENCE = 30.0
#: the label of build containers, with the PID of the process that builds the image
BUILDER = "scriptrun.builder"
_DOCKER_SOCKET = "unix:///var/run/docker.sock"
_SETTINGS = re.compile(r"CONTAINERS?_\w+|DOCKER_\w+|STORAGE_\w+|XDG_\w+|HOME")
INSTALL_HINT = (
    "Install podman (Debian: apt install podman; Fedora: dnf install podman) or Docker, or specify "
    "only packages: Environment.from_pip_requirements, from_conda_specification"
)


class Tool(Value):
    """A working container tool.

    ``root`` is podman's image store ("" if unknown), ``driver`` its storage driver, ``runtime`` the
    OCI runtime ("crun", "runc").
    """

    path: str
    kind: str
    version: str = ""
    rootless: bool = False
    root: str = ""
    driver: str = ""
    runtime: str = ""

    @property
    def line(self) -> list[str]:
        """The start of its command lines."""
        return [self.path, *podman.OPTIONS] if self.kind == "podman" else [self.path]


class ToolOutput(Value):
    """A finished command of the tool: exit code, standard output and standard error."""

    code: int
    out: str
    error: str


def program() -> str | None:
    """The path of the tool to use, whether it works or not; None without one."""
    configured = os.environ.get("SCRIPTRUN_CONTAINER_TOOL", "")
    if configured == "none":
        return None
    import shutil

    for name in [configured] if configured else ["podman", "docker"]:
        path = shutil.which(name)
        if path:
            return os.path.abspath(path)
    return None


def tool() -> Tool | None:
    """This machine's container tool, or None if none works."""
    return _detect()[0]


def problem() -> str:
    """Why containers cannot run on this machine; "" if they can."""
    return _detect()[1]


def require() -> Tool:
    """The container tool. Raises EnvironmentException without one."""
    container_tool, reason = _detect()
    if container_tool is None:
        raise EnvironmentException(
            f"Images require a container tool, but {reason}.", f"{INSTALL_HINT}."
        )
    return container_tool


def run(
    tool: Tool,
    arguments: Sequence[str],
    *,
    timeout: float | None = PATIENCE,
    environ: dict[str, str] | None = None,
) -> ToolOutput:
    """Run the tool with the arguments ``arguments``. A timeout gives exit code 124."""
    import subprocess

    try:
        result = subprocess.run(
            [*tool.line, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env={**podman.VARIABLES, **os.environ, **(environ or {})},
        )
    except subprocess.TimeoutExpired:
        return ToolOutput(124, "", f"{tool.kind} did not respond within {timeout:g} s")
    except OSError as error:
        return ToolOutput(127, "", f"{tool.path}: {error.strerror}")
    texts = (text.decode("utf-8", "replace").strip() for text in (result.stdout, result.stderr))
    return ToolOutput(result.returncode, *texts)


def registry_secret(address: str) -> str:
    """The name of the secret with the password of an image registry."""
    return f"registry-{address}"


def end_builds(pid: int) -> None:
    """Remove the build containers of the killed process ``pid``."""
    available = tool()
    if available is None:
        return
    output = run(available, ["ps", "--all", "--quiet", "--filter", f"label={BUILDER}={pid}"])
    for name in output.out.split():
        run(available, ["rm", "--force", name])


def local_image(name: str) -> str:
    """The ID of an image that was built here (``localhost/...``), not pulled; else "".

    For podman, its image list is read from disk, which is faster than running it.
    """
    available = tool() if name else None
    if available is None or "@" in name:
        return ""
    if available.kind == "podman" and available.root:
        images = files.read_json(
            os.path.join(available.root, f"{available.driver}-images", "images.json")
        )
        full_name = _full_name(name)
        for image in images if isinstance(images, list) else ():
            if isinstance(image, dict) and full_name in (image.get("names") or ()):
                return str(image["id"])
        return ""
    output = run(available, ["image", "inspect", "--format", "{{.Id}} {{len .RepoDigests}}", name])
    image, _, digests = output.out.partition(" ")
    return image if output.code == 0 and digests == "0" else ""


def _full_name(name: str) -> str:
    """The name under which podman lists a locally built image."""
    last_part = name.rpartition("/")[2]
    tagged = name if ":" in last_part else f"{name}:latest"
    return tagged if tagged.startswith("localhost/") else f"localhost/{tagged}"


def _detect() -> tuple[Tool | None, str]:
    path = program()
    if path is None:
        return None, _no_program()
    stamp = _stamp(path)
    cache_file = str(paths.cache_root() / "container-tool.json")
    cached = files.read_object(cache_file) or {}
    if cached.get("stamp") == stamp and _may_answer(path):
        try:
            return Tool.from_dict(as_object(cached.get("tool"))), ""
        except (ValueError, TypeError):
            pass  # damaged: ask the tool again
    detected, reason = _query(path)
    if detected is not None:
        try:
            os.makedirs(os.path.dirname(cache_file), exist_ok=True)
            note = files.to_json({"stamp": stamp, "tool": detected.as_dict()})
            files.write_atomic(cache_file, note, durable=False)
        except OSError:
            pass  # a note for speed only
    return detected, reason


def _may_answer(path: str) -> bool:
    """Whether docker's daemon, which comes and goes, is where it is reached without a network."""
    import socket

    if "docker" not in os.path.basename(path) or not hasattr(socket, "AF_UNIX"):
        return True
    address = os.environ.get("DOCKER_HOST") or _DOCKER_SOCKET
    if not address.startswith("unix://"):
        return False  # it is asked each time
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(address.removeprefix("unix://"))
    except OSError:
        return False
    return True


def _no_program() -> str:
    configured = os.environ.get("SCRIPTRUN_CONTAINER_TOOL", "")
    if configured == "none":
        return "SCRIPTRUN_CONTAINER_TOOL=none disables containers"
    if configured:
        return f"SCRIPTRUN_CONTAINER_TOOL={configured} does not exist"
    return "neither podman nor docker is installed on this machine"


def _stamp(path: str) -> str:
    """A digest of the program, the user, and the variables that configure the program."""
    status = os.stat(path)
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    settings = {name: value for name, value in os.environ.items() if _SETTINGS.fullmatch(name)}
    return digest_of([path, status.st_size, status.st_mtime_ns, uid, settings])


def _query(path: str) -> tuple[Tool | None, str]:
    """The tool as described by its ``info`` command, or why it does not work."""
    candidate = Tool(path, "docker" if "docker" in os.path.basename(path) else "podman")
    template = "{{json .}}" if candidate.kind == "docker" else "json"
    output = run(candidate, ["info", "--format", template])
    if output.code:
        last_line = (output.error or output.out).splitlines()[-1:] or [f"exit code {output.code}"]
        return None, f"{path} does not work: {last_line[0].rstrip('.?!')}"
    try:
        info: Json = json.loads(output.out)
    except ValueError:
        return None, f"{path} returned invalid information about itself"
    errors = info.get("ServerErrors") or []
    if errors:
        return None, f"{path} does not work: {errors[0]}"
    return (_docker if candidate.kind == "docker" else _podman)(candidate, info), ""


def _podman(candidate: Tool, info: Json) -> Tool:
    host, store = info.get("host", {}), info.get("store", {})
    return candidate.replace(
        version=str(info.get("version", {}).get("Version", "")),
        rootless=bool(host.get("security", {}).get("rootless")),
        root=str(store.get("graphRoot", "")),
        driver=str(store.get("graphDriverName", "")),
        runtime=str(host.get("ociRuntime", {}).get("name", "")),
    )


def _docker(candidate: Tool, info: Json) -> Tool:
    options = info.get("SecurityOptions") or []
    return candidate.replace(
        version=str(info.get("ServerVersion", "")),
        rootless=any("rootless" in option for option in options),
        runtime=str(info.get("DefaultRuntime", "")),
    )
