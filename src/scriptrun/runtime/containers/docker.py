"""A task as a container: podman or docker by its command line (Python 3.8+).

The launcher stays outside the container. Working directory, outputs and data keep their paths.
Variables are passed by name, so their values never appear on a command line. podman writes directly
to the task's log, and the container's processes are descendants of the launcher, as without one.
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


#: variables that the tool itself reads: the job's value is passed on the command line instead
_TOOLS_OWN = re.compile(
    r"PATH|HOME|TMPDIR|USER|LOGNAME|NOTIFY_SOCKET|REGISTRY_AUTH_FILE|LISTEN_\w+|"
    r"(LD|XDG|CONTAINERS?|DOCKER|STORAGE|BUILDAH|PODMAN|GO)[A-Z_]*"
)
#: seconds allowed for removing a container
_REMOVING = 60.0
#: exit codes with which the tool reports its own failure, if no process of the job started
_OWN_CODES = (125, 126, 127)
#: helper programs of podman that outlive a container; they are not part of a job
HOLDERS = ("conmon", "podman", "crun", "runc", "slirp4netns", "fuse-overlayfs", "pasta")


def line(told: "Json") -> "list[str]":
    """The container tool and its global options."""
    return [told["tool"]] + (podman.OPTIONS if told["kind"] == "podman" else [])


def told_of(order: "LaunchOrder") -> "Json":
    """The container settings of an order whose tasks run in containers."""
    assert order.container is not None
    return order.container


def bring(order: "LaunchOrder") -> None:
    """Load the image from its archive next to the environment, unless this node has it already."""
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
    """The name of the container that runs ``task``."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", job["id"])
    return "scriptrun-{}-{}-{}-{}".format(safe, order.attempt, order.node, task.rank)


def start_line(
    job: "Json", attempt: "Attempt", task: "Task", work: str
) -> "tuple[list[str], dict[str, str]]":
    """The command line that runs ``task`` in its container, and that command's own variables.

    The container is recorded in the attempt's folder first, so that others can remove it.
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
    """Options that the user's own arguments may override."""
    own = " ".join(str(each) for each in told.get("arguments") or ())
    words = []
    if not re.search(r"(^|\s)--net(work)?\b", own):
        words += ["--network", "host"]
    if not re.search(r"(^|\s)(--user\b|-u\b|--userns\b)", own):
        words += ["--user", told["user"]]
    if not re.search(r"(^|\s)--ipc\b", own):
        if several:  # the ranks of a node share memory
            words += ["--ipc", "host"]
        elif told.get("shm_size") and "--shm-size" not in own:
            words += ["--shm-size", told["shm_size"]]
    if told.get("platform"):
        words += ["--platform", told["platform"]]
    return words


def binds(job: "Json", attempt: "Attempt") -> "list[tuple[str, str, bool]]":
    """(source, target, writable) of the run's folder, the job runtime, the delivered data and the
    checkpoints to resume from."""
    folder, runtime = attempt.order.folder, attempt.order.runtime
    wanted = [(folder, folder, True), (runtime, runtime, False)]
    named = ((job.get("data") or {}).get("variables") or {}).values()
    wanted += [(each, each, False) for each in named if os.path.isabs(each) and os.path.isdir(each)]
    wanted += [each for each in attempt.binds if not _is_below(each[1], folder)]
    found: "dict[str, tuple[str, bool]]" = {}
    for source, place, write in wanted:  # writable if any mount of this target is
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
    """``texts`` as one line of CSV, the format of ``--mount``."""
    return ",".join(map(_field, texts))


def _field(text: str) -> str:
    if any(each in text for each in ',"\n'):
        return '"{}"'.format(text.replace('"', '""'))
    return text


def _devices(order: "LaunchOrder", told: "Json") -> "list[str]":
    """Options that expose all GPUs; CUDA_VISIBLE_DEVICES restricts the job to its own."""
    if not order.devices:
        return []
    if told["kind"] == "podman":
        return ["--device", "nvidia.com/gpu=all"]
    return ["--gpus", "all"]


def given_variables(job: "Json", attempt: "Attempt", task: "Task") -> "dict[str, str]":
    """The variables that the container gets in addition to those of its image."""
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
    found.pop("SCRIPTRUN_TOOL", None)  # that interpreter is not in the image
    told = told_of(order)
    rest = found.get("PYTHONPATH") or (told.get("environ") or {}).get("PYTHONPATH")
    found["PYTHONPATH"] = search_path.of(job, order.runtime, rest)
    if told["user"] != "0:0":
        found.setdefault("HOME", "/tmp")
    else:  # root inside the container is the user outside
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
            found.setdefault(name, "1")
    return found


def _is_tools(name: str) -> bool:
    return bool(_TOOLS_OWN.fullmatch(name)) or "*" in name


def _named(given: "dict[str, str]") -> "list[str]":
    """``--env`` options: by name alone, or with the value where the tool reads the variable."""
    words = []
    for name, value in given.items():
        words += ["--env", name + "=" + value if _is_tools(name) else name]
    return words


def own_environment(order: "LaunchOrder") -> "dict[str, str]":
    """The environment of the container tool itself: that of the submitter."""
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
    """The host pid of the container's first process; None before it starts."""
    try:
        with open(_pidfile(order, rank)) as handle:
            return int(handle.read())
    except (OSError, ValueError):
        return None


def terminate(order: "LaunchOrder", ranks: "dict[int, int]") -> None:
    """Send SIGTERM to the script's process group in each container.

    ``ranks`` maps pids of the container tool to ranks. docker forwards the signal to the
    container's first process.
    """
    for pid, rank in ranks.items():
        first = first_process(order, rank)
        if first is None:  # docker, or podman has not started the container yet
            processes.end_group(pid, signal.SIGTERM)
            continue
        groups = _groups(first)
        for group in groups:
            processes.end_group(group, signal.SIGTERM)
        if not groups:  # the script is about to start, or has just ended
            processes.send(first, signal.SIGTERM)


def _groups(first: int) -> "set[int]":
    """The process groups of the children of the container's init."""
    found = set()
    for pid in processes.children(first):
        try:
            found.add(os.getpgid(pid))
        except OSError:
            pass
    return found - {os.getpgid(0)}


def read_status(status: int) -> int:
    """The script's wait status, decoded from the tool's: 128+n means killed by signal n."""
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return code - 128 if 128 < code <= 128 + 31 else status


def is_tools_own(status: int) -> bool:
    """Whether the exit code may be the tool's own rather than the script's."""
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) in _OWN_CODES


def not_started(order: "LaunchOrder", rank: int, status: int) -> bool:
    """Whether the tool failed before any process of the job started."""
    if not is_tools_own(status):
        return False
    if told_of(order)["kind"] == "podman":
        return first_process(order, rank) is None
    return True


def last_words(path: str, kind: str) -> str:
    """The tool's last error message in the log at ``path``."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - 4000))
            lines = handle.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "no error message from {}".format(kind)
    told = [line for line in lines if line.startswith(("Error:", "docker:", "error", "FATAL:"))]
    return (told or lines or ["no error message from {}".format(kind)])[-1].strip()


def as_here(told: "Json") -> "int | None":
    """The host pid of a process in a container; None if it is gone.

    ``told`` is its identity as seen inside: pids differ there, start times do not.
    """
    for pid in processes.descendants():
        if identity.of_process(pid).get("start") == told["start"]:
            if told["pid"] in processes.pids_in_namespaces(pid):
                return pid
    return None


def is_adrift(attempt: "Attempt", rank: int) -> bool:
    """Whether podman's monitor (conmon) of the container was killed, so its exit status is lost."""
    first = first_process(attempt.order, rank)
    if first is None:
        return False
    parent = processes.parent_of(first)
    return parent in (1, os.getpid(), attempt.guard)


def settle(seconds: float = 5.0) -> "Usage":
    """Wait for the tool's helper programs to end; return the usage of reaped processes."""
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
    """Add ``used`` (a struct rusage) to ``usage``."""
    usage["user_seconds"] = round(usage["user_seconds"] + used.ru_utime, 3)
    usage["system_seconds"] = round(usage["system_seconds"] + used.ru_stime, 3)
    usage["peak_memory_kb"] = max(usage["peak_memory_kb"], used.ru_maxrss)


def remove(
    folder: str, environ: "Mapping[str, str] | None" = None, node: "int | None" = None
) -> None:
    """Remove all containers that the run at ``folder`` started on this host."""
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
        if attempt:  # podman fails until it notices that its monitor was killed
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
