"""The container tool of this machine: podman or docker, by its command line.

Which one: what ``SCRIPTRUN_CONTAINER_TOOL`` names (a program or its path; ``none`` for "no
containers here"), else podman, else docker. One that answered once is not asked again: what it said
of itself is kept in the cache until the program or its settings change.
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

#: seconds that the tool may take to say something of itself
PATIENCE = 30.0
#: the label of a container in which an image is built: the pid of the process that does it
BUILDER = "scriptrun.builder"
_SETTINGS = re.compile(r"CONTAINERS?_\w+|DOCKER_\w+|STORAGE_\w+|XDG_\w+|HOME")
HOW_TO = (
    "Install podman (Debian: apt install podman; Fedora: dnf install podman) or Docker, or specify "
    "only packages: Environment.from_pip_requirements, from_conda_specification"
)


class Tool(Value):
    """A container tool that answers.

    ``root`` is where podman keeps its images ("" where that is not to be known), ``driver`` its
    storage driver, ``runtime`` what it starts containers with ("crun", "runc").
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
        """How its command line begins."""
        return [self.path, *podman.OPTIONS] if self.kind == "podman" else [self.path]


class Said(Value):
    """What a command of the tool answered: its exit code, and both of its outputs as text."""

    code: int
    out: str
    error: str


def program() -> str | None:
    """The path of the tool to be used, whether it works or not; None where there is none."""
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
    """The container tool of this machine, or None where there is none that answers."""
    return _asked()[0]


def trouble() -> str:
    """Why no container can be run here, as a sentence; "" where it can."""
    return _asked()[1]


def require() -> Tool:
    """The tool. Raises EnvironmentException where there is none."""
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
    """What ``words`` make the tool say. A tool that hangs has the code 124."""
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
    """The name of the secret that holds the password for a registry."""
    return f"registry-{address}"


def end_builds(pid: int) -> None:
    """Remove the containers in which the process ``pid``, which was killed, has built an image."""
    found = tool()
    if found is None:
        return
    said = run(found, ["ps", "--all", "--quiet", "--filter", f"label={BUILDER}={pid}"])
    for name in said.out.split():
        run(found, ["rm", "--force", name])


def local_image(name: str) -> str:
    """The id of an image that was built here (``localhost/...``), not pulled; else "".

    podman's list of images is read as the file that it is; docker is asked.
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
    """The name as podman lists an image of this machine's own."""
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
    """Changes with the program, the user, and whatever tells the program where its things lie."""
    seen = os.stat(path)
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    told = {name: value for name, value in os.environ.items() if _SETTINGS.fullmatch(name)}
    return digest_of([path, seen.st_size, seen.st_mtime_ns, uid, told])


def _ask(path: str) -> tuple[Tool | None, str]:
    """What the program says of itself: podman's and docker's ``info``."""
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
