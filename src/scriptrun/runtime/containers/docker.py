"""A task as a container: podman or docker by its command line (Python 3.8+).

The launcher stays outside. Working directory, outputs and data are the same folders under the same
paths; variables cross by name, their values never on a command line. podman hands the container our
log itself, and the container's processes are the launcher's descendants, as they are without one.
"""

import os
import re
import shutil
import signal
import time

from .. import files, identity, mlflow_store, processes, results, search_path
from ..launcher import variables
from . import podman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from resource import struct_rusage

    from scriptrun.runtime.hints import Json, Usage
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: what the tool itself heeds: of these it is told the job's value, and keeps its own
_TOOLS_OWN = re.compile(
    r"PATH|HOME|TMPDIR|USER|LOGNAME|NOTIFY_SOCKET|REGISTRY_AUTH_FILE|LISTEN_\w+|"
    r"(LD|XDG|CONTAINERS?|DOCKER|STORAGE|BUILDAH|PODMAN|GO)[A-Z_]*"
)
#: seconds that removing a container may take
_REMOVING = 60.0
#: exit codes by which the tool says that it failed itself, if nothing was started
_OWN_CODES = (125, 126, 127)
#: what podman leaves running in between, which is no part of a job
HOLDERS = ("conmon", "podman", "crun", "runc", "slirp4netns", "fuse-overlayfs", "pasta")


def line(told: "Json") -> "list[str]":
    """How the tool's command line begins."""
    return [told["tool"]] + (podman.OPTIONS if told["kind"] == "podman" else [])


def told_of(order: "LaunchOrder") -> "Json":
    """What the order says of containers, where the job's processes are such."""
    assert order.container is not None
    return order.container


def bring(order: "LaunchOrder") -> None:
    """See to it that podman of this node has the image, which may lie beside the environment."""
    told = told_of(order)
    if not told.get("file"):
        return
    import subprocess

    named = os.environ.get("SCRIPTRUN_CONTAINER_TOOL")
    told["tool"] = shutil.which(named or told["kind"]) or told["tool"]
    null = subprocess.DEVNULL
    there = line(told) + ["image", "exists", told["image"]]
    if subprocess.run(there, stdin=null, stdout=null, stderr=null).returncode == 0:
        return
    words = line(told) + ["load", "--quiet", "--input", told["file"]]
    said = subprocess.run(words, stdin=null, stdout=null, stderr=subprocess.PIPE)
    if said.returncode:
        why = said.stderr.decode("utf-8", "replace").strip().splitlines() or ["no error message"]
        raise OSError("cannot load image {} on this node: {}".format(told["named"], why[-1]))


def name_of(job: "Json", order: "LaunchOrder", task: "Task") -> str:
    """The container's name."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", job["id"])
    return "scriptrun-{}-{}-{}-{}".format(safe, order.attempt, order.node, task.rank)


def start_line(
    job: "Json", attempt: "Attempt", task: "Task", work: str
) -> "tuple[list[str], dict[str, str]]":
    """The command line that runs ``task`` in its container, and that command's own variables.

    What is started is written down beside the attempt first, so that whoever looks can remove it.
    """
    order = attempt.order
    told = told_of(order)
    given = given_variables(job, attempt, task)
    words = ["--rm", "--pull=never", "--init", "--name", name_of(job, order, task)]
    words += ["--label", "scriptrun.run=" + job["id"], "--workdir", work, "--entrypoint", ""]
    words += ["--security-opt", "label=disable"]
    if told["kind"] == "podman":
        words += [
            "--sig-proxy=false",
            "--log-driver",
            "passthrough",
            "--pidfile",
            _pidfile(order, task.rank),
        ]
        words += ["--umask", "{:04o}".format(_umask())]
        if told.get("rootless") and told.get("runtime") == "crun":
            words += ["--group-add", "keep-groups"]
    else:
        words += ["--log-driver", "none", "--attach", "stdout", "--attach", "stderr"]
    words += _choices(told, job["distribution"]["processes_per_node"] > 1)
    words += _mounts(job, attempt) + _devices(order, told) + _named(given)
    words += [str(each) for each in told.get("arguments") or ()]
    _write_down(order, job, task)
    environ = own_environment(order)
    environ.update({name: value for name, value in given.items() if not _is_tools(name)})
    return line(told) + ["run"] + words + [told["image"]] + list(task.argv), environ


def _choices(told: "Json", several: bool) -> "list[str]":
    """What the user's own arguments may choose otherwise."""
    own = " ".join(str(each) for each in told.get("arguments") or ())
    words = []
    if not re.search(r"(^|\s)--net(work)?\b", own):
        words += ["--network", "host"]
    if not re.search(r"(^|\s)(--user\b|-u\b|--userns\b)", own):
        words += ["--user", told["user"]]
    if not re.search(r"(^|\s)--ipc\b", own):
        if several:  # ranks of a node share memory with one another
            words += ["--ipc", "host"]
        elif told.get("shm_size") and "--shm-size" not in own:
            words += ["--shm-size", told["shm_size"]]
    if told.get("platform"):
        words += ["--platform", told["platform"]]
    return words


def binds(job: "Json", attempt: "Attempt") -> "list[tuple[str, str, bool]]":
    """(source, place, whether it may be written) of the run's folder, what the script imports, the
    data that was brought, and what it goes on from."""
    folder, runtime = attempt.order.folder, attempt.order.runtime
    wanted = [(folder, folder, True), (runtime, runtime, False)]
    named = ((job.get("data") or {}).get("variables") or {}).values()
    wanted += [(each, each, False) for each in named if os.path.isabs(each) and os.path.isdir(each)]
    wanted += [each for each in attempt.binds if not _is_below(each[1], folder)]
    found: "dict[str, tuple[str, bool]]" = {}
    for source, place, write in wanted:  # what one input may write to stays open for it
        before = found.get(place, (source, False))
        found[place] = (source, bool(write) or before[1])
    return [(found[place][0], place, found[place][1]) for place in sorted(found)]


def _mounts(job: "Json", attempt: "Attempt") -> "list[str]":
    words = []
    for source, place, write in binds(job, attempt):
        mount = ["type=bind", "source=" + source, "destination=" + place]
        words += ["--mount", fields(mount + ([] if write else ["readonly=true"]))]
    return words


def _is_below(path: str, folder: str) -> bool:
    return (path + os.sep).startswith(folder + os.sep)


def fields(texts: "Iterable[str]") -> str:
    """One line of CSV, which is what ``--mount`` takes."""
    return ",".join(map(_field, texts))


def _field(text: str) -> str:
    if any(each in text for each in ',"\n'):
        return '"{}"'.format(text.replace('"', '""'))
    return text


def _devices(order: "LaunchOrder", told: "Json") -> "list[str]":
    """All GPUs of the machine, of which CUDA_VISIBLE_DEVICES names the job's."""
    if not order.devices:
        return []
    if told["kind"] == "podman":
        return ["--device", "nvidia.com/gpu=all"]
    return ["--gpus", "all"]


def given_variables(job: "Json", attempt: "Attempt", task: "Task") -> "dict[str, str]":
    """What the container's process sees, beside what its image sets: only what was named."""
    order = attempt.order
    there = order.inherited
    found = {name: there[name] for name in job.get("passed") or () if name in there}
    own = job.get("variables") or {}
    if job.get("data"):
        own = {name: variables.expand(value, task.variables) for name, value in own.items()}
    found.update(attempt.brought_plain)
    found.update(own)
    found.update(mlflow_store.variables(job, order, found))
    found.update(task.variables)
    found.pop("SCRIPTRUN_TOOL", None)  # that interpreter is none of the image's
    told = told_of(order)
    rest = found.get("PYTHONPATH") or (told.get("environ") or {}).get("PYTHONPATH")
    found["PYTHONPATH"] = search_path.of(job, order.runtime, rest)
    if told["user"] != "0:0":
        found.setdefault("HOME", "/tmp")
    else:  # it is the user, whatever it is called inside
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
            found.setdefault(name, "1")
    return found


def _is_tools(name: str) -> bool:
    return bool(_TOOLS_OWN.fullmatch(name)) or "*" in name


def _named(given: "dict[str, str]") -> "list[str]":
    """Variables by name, whose values the tool takes from its own; its own ones with theirs."""
    words = []
    for name, value in given.items():
        words += ["--env", name + "=" + value if _is_tools(name) else name]
    return words


def own_environment(order: "LaunchOrder") -> "dict[str, str]":
    """The variables of the tool's own process: those of whoever submitted."""
    environ = dict(order.inherited)
    environ.setdefault("PATH", os.defpath)
    for name, value in podman.VARIABLES.items():
        environ.setdefault(name, value)
    return environ


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def _place(order: "LaunchOrder", name: str) -> str:
    return os.path.join(results.attempt_folder(order.folder, order.attempt), name)


def _pidfile(order: "LaunchOrder", rank: int) -> str:
    return _place(order, "container-{}.pid".format(rank))


def _write_down(order: "LaunchOrder", job: "Json", task: "Task") -> None:
    told = told_of(order)
    value = {
        "tool": told["tool"],
        "kind": told["kind"],
        "name": name_of(job, order, task),
        "image": told["image"],
        "host": identity.of_process()["host"],
        "node": order.node,
    }
    files.write_atomic(_place(order, "container-{}.json".format(task.rank)), files.to_json(value))


def first_process(order: "LaunchOrder", rank: int) -> "int | None":
    """The pid of the container's first process, as this machine counts; None before it started."""
    try:
        with open(_pidfile(order, rank)) as handle:
            return int(handle.read())
    except (OSError, ValueError):
        return None


def terminate(order: "LaunchOrder", ranks: "dict[int, int]") -> None:
    """SIGTERM to the script's process group in each container, as without one.

    ``ranks`` are pids of the tool's processes to ranks. docker's hand the signal to the container's
    first process.
    """
    for pid, rank in ranks.items():
        first = first_process(order, rank)
        if first is None:  # docker, or podman has not come so far
            processes.end_group(pid, signal.SIGTERM)
            continue
        groups = _groups(first)
        for group in groups:
            processes.end_group(group, signal.SIGTERM)
        if not groups:  # it is about to begin, or has just ended
            processes.send(first, signal.SIGTERM)


def _groups(first: int) -> "set[int]":
    """The process groups of those that the container's init has started."""
    found = set()
    for pid in processes.children(first):
        try:
            found.add(os.getpgid(pid))
        except OSError:
            pass
    return found - {os.getpgid(0)}


def read_status(status: int) -> int:
    """The script's wait status, of that of the tool's process: 128+n is a death by signal n."""
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return code - 128 if 128 < code <= 128 + 31 else status


def is_tools_own(status: int) -> bool:
    """Whether the tool may have ended with an exit code of its own, and not with the script's."""
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) in _OWN_CODES


def not_started(order: "LaunchOrder", rank: int, status: int) -> bool:
    """Whether the tool itself failed, and no process of the job has ever begun."""
    if not is_tools_own(status):
        return False
    if told_of(order)["kind"] == "podman":
        return first_process(order, rank) is None
    return True


def last_words(path: str, kind: str) -> str:
    """What the tool said at the end of the log at ``path``."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - 4000))
            lines = handle.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "no error message from {}".format(kind)
    told = [line for line in lines if line.startswith(("Error:", "docker:", "error", "FATAL:"))]
    return (told or lines or ["no error message from {}".format(kind)])[-1].strip()


def as_here(told: "Json") -> "int | None":
    """The pid on this machine of a process that told of itself in a container; None: it is gone.

    ``told`` is its identity: pids there are others, while times of a start are the same.
    """
    for pid in processes.descendants():
        if identity.of_process(pid).get("start") == told["start"]:
            if told["pid"] in processes.pids_in_namespaces(pid):
                return pid
    return None


def is_adrift(attempt: "Attempt", rank: int) -> bool:
    """Whether podman's monitor of the container was killed: then nobody tells how it ends."""
    first = first_process(attempt.order, rank)
    if first is None:
        return False
    parent = processes.parent_of(first)
    return parent in (1, os.getpid(), attempt.guard)


def settle(seconds: float = 5.0) -> "Usage":
    """Wait until what holds the containers has ended; the usage of all that was reaped here."""
    deadline = time.monotonic() + seconds
    usage: "Usage" = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 0}
    while time.monotonic() < deadline:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            add(usage, used)
        elif any(processes.name_of(each) in HOLDERS for each in processes.descendants()):
            time.sleep(0.01)
        else:
            break
    return usage


def add(usage: "Usage", used: "struct_rusage") -> None:
    """Count ``used`` (a struct rusage) into ``usage``."""
    usage["user_seconds"] = round(usage["user_seconds"] + used.ru_utime, 3)
    usage["system_seconds"] = round(usage["system_seconds"] + used.ru_stime, 3)
    usage["peak_memory_kb"] = max(usage["peak_memory_kb"], used.ru_maxrss)


def remove(
    folder: str, environ: "Mapping[str, str] | None" = None, node: "int | None" = None
) -> None:
    """Remove all containers that attempts of the run at ``folder`` have started on this host."""
    here = identity.of_process()["host"]
    for value in _written(folder):
        if value.get("host") == here and node in (None, value.get("node")):
            _remove(value, environ)


def _written(folder: str) -> "list[Json]":
    attempts = os.path.join(folder, "attempts")
    found = []
    for attempt in _names(attempts):
        for name in _names(os.path.join(attempts, attempt)):
            if name.startswith("container-") and name.endswith(".json"):
                found.append(files.read_json(os.path.join(attempts, attempt, name)))
    return [value for value in found if value]


def _names(folder: str) -> "list[str]":
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _remove(value: "Json", environ: "Mapping[str, str] | None") -> None:
    import subprocess

    words = line(value) + ["rm", "--force", "--volumes"]
    words += ["--ignore", "--time", "0"] if value["kind"] == "podman" else []
    deadline = time.monotonic() + _REMOVING
    for attempt in range(20 if value["kind"] == "podman" else 2):
        if attempt:  # podman fails where its monitor was killed, until it has seen that
            time.sleep(0.1)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        try:
            done = subprocess.run(
                words + [value["name"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=left,
                env=environ,
            )
        except (OSError, subprocess.SubprocessError):
            return
        if done.returncode == 0:
            return
