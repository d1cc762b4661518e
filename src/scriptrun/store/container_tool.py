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
from scriptrun.spec.values import Value
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds to wait for the tool's answer
PATIENCE = 30.0
#: the label of build containers, with the PID of the process that builds the image
BUILDER = "scriptrun.builder"
_SETTINGS = re.compile(r"CONTAINERS?_\w+|DOCKER_\w+|STORAGE_\w+|XDG_\w+|HOME")
HOW_TO = (
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


class Said(Value):
    """A finished command of the tool: exit code, standard output and standard error."""

    code: int
    out: str
    error: str


def program() -> str | None:
    """The path of the tool to use, whether it works or not; None without one."""
    named = os.environ.get("SCRIPTRUN_CONTAINER_TOOL", "")
    if named == "none":
        return None
    import shutil

    for name in [named] if named else ["podman", "docker"]:
        found = shutil.which(name)
        if found:
            return os.path.abspath(found)
    return None


def tool() -> Tool | None:
    """This machine's container tool, or None if none works."""
    return _asked()[0]


def trouble() -> str:
    """Why containers cannot run on this machine; "" if they can."""
    return _asked()[1]


def require() -> Tool:
    """The container tool. Raises EnvironmentException without one."""
    found, why = _asked()
    if found is None:
        raise EnvironmentException(f"Images require a container tool, but {why}.", f"{HOW_TO}.")
    return found


def run(
    found: Tool,
    words: Sequence[str],
    *,
    patience: float | None = PATIENCE,
    environ: dict[str, str] | None = None,
) -> Said:
    """Run the tool with the arguments ``words``. A timeout gives exit code 124."""
    import subprocess

    try:
        done = subprocess.run(
            [*found.line, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            env={**podman.VARIABLES, **os.environ, **(environ or {})},
        )
    except subprocess.TimeoutExpired:
        return Said(124, "", f"{found.kind} did not respond within {patience:g} s")
    except OSError as error:
        return Said(127, "", f"{found.path}: {error.strerror}")
    texts = (text.decode("utf-8", "replace").strip() for text in (done.stdout, done.stderr))
    return Said(done.returncode, *texts)


def secret_of(address: str) -> str:
    """The name of the secret with the password of an image registry."""
    return f"registry-{address}"


def end_builds(pid: int) -> None:
    """Remove the build containers of the killed process ``pid``."""
    found = tool()
    if found is None:
        return
    said = run(found, ["ps", "--all", "--quiet", "--filter", f"label={BUILDER}={pid}"])
    for name in said.out.split():
        run(found, ["rm", "--force", name])


def local_image(name: str) -> str:
    """The ID of an image that was built here (``localhost/...``), not pulled; else "".

    For podman, its image list is read from disk, which is faster than running it.
    """
    found = tool() if name else None
    if found is None or "@" in name:
        return ""
    if found.kind == "podman" and found.root:
        listed = files.read_json(os.path.join(found.root, f"{found.driver}-images", "images.json"))
        full = _full(name)
        for image in listed if isinstance(listed, list) else ():
            if full in (image.get("names") or ()):
                return str(image["id"])
        return ""
    said = run(found, ["image", "inspect", "--format", "{{.Id}} {{len .RepoDigests}}", name])
    image, _, digests = said.out.partition(" ")
    return image if said.code == 0 and digests == "0" else ""


def _full(name: str) -> str:
    """The name under which podman lists a locally built image."""
    last = name.rpartition("/")[2]
    tagged = name if ":" in last else f"{name}:latest"
    return tagged if tagged.startswith("localhost/") else f"localhost/{tagged}"


def _asked() -> tuple[Tool | None, str]:
    path = program()
    if path is None:
        return None, _no_program()
    stamp = _stamp(path)
    note = str(paths.cache_root() / "container-tool.json")
    known = files.read_json(note)
    if isinstance(known, dict) and known.get("stamp") == stamp:
        return Tool(**known["tool"]), ""
    found, why = _ask(path)
    if found is not None:
        try:
            os.makedirs(os.path.dirname(note), exist_ok=True)
            files.write_atomic(note, files.to_json({"stamp": stamp, "tool": found.as_dict()}))
        except OSError:
            pass  # a note for speed only
    return found, why


def _no_program() -> str:
    named = os.environ.get("SCRIPTRUN_CONTAINER_TOOL", "")
    if named == "none":
        return "SCRIPTRUN_CONTAINER_TOOL=none disables containers"
    if named:
        return f"SCRIPTRUN_CONTAINER_TOOL={named} does not exist"
    return "neither podman nor docker is installed on this machine"


def _stamp(path: str) -> str:
    """A digest of the program, the user, and the variables that configure the program."""
    seen = os.stat(path)
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    told = {name: value for name, value in os.environ.items() if _SETTINGS.fullmatch(name)}
    return digest_of([path, seen.st_size, seen.st_mtime_ns, uid, told])


def _ask(path: str) -> tuple[Tool | None, str]:
    """The tool as described by its ``info`` command, or why it does not work."""
    asked = Tool(path, "docker" if "docker" in os.path.basename(path) else "podman")
    shape = "{{json .}}" if asked.kind == "docker" else "json"
    said = run(asked, ["info", "--format", shape])
    if said.code:
        last = (said.error or said.out).splitlines()[-1:] or [f"exit code {said.code}"]
        return None, f"{path} does not work: {last[0].rstrip('.?!')}"
    try:
        info: Json = json.loads(said.out)
    except ValueError:
        return None, f"{path} returned invalid information about itself"
    errors = info.get("ServerErrors") or []
    if errors:
        return None, f"{path} does not work: {errors[0]}"
    return (_docker if asked.kind == "docker" else _podman)(asked, info), ""


def _podman(asked: Tool, info: Json) -> Tool:
    host, store = info.get("host", {}), info.get("store", {})
    return asked.replace(
        version=str(info.get("version", {}).get("Version", "")),
        rootless=bool(host.get("security", {}).get("rootless")),
        root=str(store.get("graphRoot", "")),
        driver=str(store.get("graphDriverName", "")),
        runtime=str(host.get("ociRuntime", {}).get("name", "")),
    )


def _docker(asked: Tool, info: Json) -> Tool:
    options = info.get("SecurityOptions") or []
    return asked.replace(
        version=str(info.get("ServerVersion", "")),
        rootless=any("rootless" in each for each in options),
        runtime=str(info.get("DefaultRuntime", "")),
    )
