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

from .. import files, identity, mlflow_store, process_record, processes, results, search_path
from ..launcher import variables
from ..serving import order as service_order
from . import podman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from resource import struct_rusage

    from scriptrun.runtime.hints import Json, Usage
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


#: variables that the tool itself reads: the job's value is passed on the command line instead,
#: where others can read it, so that names of secrets are not among them
_TOOL_VARIABLES = re.compile(
    r"(?!.*(PASS|SECRET|TOKEN|CREDENTIAL|API_?KEY|ACCESS_KEY))"
    r"(PATH|HOME|TMPDIR|USER|LOGNAME|NOTIFY_SOCKET|REGISTRY_AUTH_FILE|LISTEN_\w+|"
    r"GO(DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|ROOT|RACE|COVERDIR)|"
    r"(LD|XDG|CONTAINERS?|DOCKER|STORAGE|BUILDAH|PODMAN)(_[A-Z_]*)?)"
)
#: seconds allowed for removing a container
_REMOVE_SECONDS = 60.0
#: exit codes with which the tool reports its own failure, if no process of the job started
_TOOL_EXIT_CODES = (125, 126, 127)
#: helper programs of podman that outlive a container; they are not part of a job
HELPER_PROGRAMS = ("conmon", "podman", "crun", "runc", "slirp4netns", "fuse-overlayfs", "pasta")


def tool_command(container: "Json") -> "list[str]":
    """The container tool and its global options."""
    return [container["tool"]] + (podman.OPTIONS if container["kind"] == "podman" else [])


def container_of(order: "LaunchOrder") -> "Json":
    """The container settings of an order whose tasks run in containers."""
    assert order.container is not None
    return order.container


def load_image(order: "LaunchOrder") -> None:
    """Load the image from its archive next to the environment, unless this node has it already."""
    container = container_of(order)
    if not container.get("file"):
        return
    import subprocess

    tool_name = os.environ.get("SCRIPTRUN_CONTAINER_TOOL")
    container["tool"] = shutil.which(tool_name or container["kind"]) or container["tool"]
    null = subprocess.DEVNULL
    exists_command = tool_command(container) + ["image", "exists", container["image"]]
    if subprocess.run(exists_command, stdin=null, stdout=null, stderr=null).returncode == 0:
        return
    command = tool_command(container) + ["load", "--quiet", "--input", container["file"]]
    result = subprocess.run(command, stdin=null, stdout=null, stderr=subprocess.PIPE)
    if result.returncode:
        messages = result.stderr.decode("utf-8", "replace").strip().splitlines() or [
            "no error message"
        ]
        raise OSError(
            "cannot load image {} on this node: {}".format(container["named"], messages[-1])
        )


def container_name(job: "Json", order: "LaunchOrder", task: "Task") -> str:
    """The name of the container that runs ``task``."""
    return "{}-{}-{}-{}".format(_run_name(job["id"]), order.attempt, order.node, task.rank)


def _run_name(run_id: str) -> str:
    return "scriptrun-" + re.sub(r"[^A-Za-z0-9_.-]", "-", run_id)


def run_command(
    job: "Json", attempt: "Attempt", task: "Task", work: str
) -> "tuple[list[str], dict[str, str]]":
    """The command line that runs ``task`` in its container, and that command's own variables.

    The container is recorded in the attempt's folder first, so that others can remove it.
    """
    order = attempt.order
    container = container_of(order)
    job_variables = container_variables(job, attempt, task)
    options = ["--rm", "--pull=never", "--init", "--name", container_name(job, order, task)]
    options += ["--label", "scriptrun.run=" + job["id"], "--workdir", work, "--entrypoint", ""]
    options += ["--security-opt", "label=disable"]
    if container["kind"] == "podman":
        options += [
            "--sig-proxy=false",
            "--log-driver",
            "passthrough",
            "--pidfile",
            _pidfile(order, task.rank),
        ]
        options += ["--umask", "{:04o}".format(_umask())]
        if container.get("rootless") and container.get("runtime") == "crun":
            options += ["--group-add", "keep-groups"]
    else:
        options += ["--log-driver", "none", "--attach", "stdout", "--attach", "stderr"]
    options += _default_options(container, job["distribution"]["processes_per_node"] > 1)
    options += (
        _mount_options(job, attempt)
        + _device_options(order, container)
        + _variable_options(job_variables)
    )
    options += [str(argument) for argument in container.get("arguments") or ()]
    _record_container(attempt, job, task)
    environ = tool_environment(order)
    environ.update(
        {name: value for name, value in job_variables.items() if not _belongs_to_tool(name)}
    )
    return tool_command(container) + ["run"] + options + [container["image"]] + list(
        task.argv
    ), environ


def _default_options(container: "Json", has_many_ranks: bool) -> "list[str]":
    """Options that the user's own arguments may override."""
    user_arguments = " ".join(str(argument) for argument in container.get("arguments") or ())
    options = []
    if not re.search(r"(^|\s)--net(work)?\b", user_arguments):
        options += ["--network", "host"]
    if not re.search(r"(^|\s)(--user\b|-u\b|--userns\b)", user_arguments):
        options += ["--user", container["user"]]
    if not re.search(r"(^|\s)--ipc\b", user_arguments):
        if has_many_ranks:  # the ranks of a node share memory
            options += ["--ipc", "host"]
        elif container.get("shm_size") and "--shm-size" not in user_arguments:
            options += ["--shm-size", container["shm_size"]]
    if container.get("platform"):
        options += ["--platform", container["platform"]]
    return options


def bind_mounts(job: "Json", attempt: "Attempt") -> "list[tuple[str, str, bool]]":
    """(source, target, writable) of the run's folder, the job runtime, the delivered data, the
    checkpoints to resume from, and the files of a service's models."""
    folder, runtime = attempt.order.folder, attempt.order.runtime
    mounts = [(folder, folder, True), (runtime, runtime, False)]
    data_paths = ((job.get("data") or {}).get("variables") or {}).values()
    mounts += [
        (path, path, False) for path in data_paths if os.path.isabs(path) and os.path.isdir(path)
    ]
    mounts += [bind for bind in attempt.binds if not _is_below(bind[1], folder)]
    mounts += [(path, path, False) for path in served_files(job, folder, attempt.order.workspace)]
    merged: "dict[str, tuple[str, bool]]" = {}
    for source, target, writable in mounts:  # writable if any mount of this target is
        previous = merged.get(target, (source, False))
        merged[target] = (source, bool(writable) or previous[1])
    return [
        (merged[destination][0], destination, merged[destination][1])
        for destination in sorted(merged)
    ]


def served_files(job: "Json", folder: str, workspace: str) -> "list[str]":
    """The folder of the workspace's store that a service's models are links to, if any.

    Links to other places are left out: a container can write into the run's folder.
    """
    if job.get("kind") != "service":
        return []
    store, folders = os.path.join(workspace, ".scriptrun", "models", ".content"), set()
    for parent, _, names in os.walk(os.path.join(folder, service_order.MODELS)):
        for path in (os.path.join(parent, name) for name in names):
            target = os.readlink(path) if os.path.islink(path) else ""
            if _is_below(os.path.normpath(target), store):
                folders.add(os.path.dirname(os.path.normpath(target)))
    return [os.path.commonpath(sorted(folders))] if folders else []


def _mount_options(job: "Json", attempt: "Attempt") -> "list[str]":
    options = []
    for source, target, writable in bind_mounts(job, attempt):
        mount = ["type=bind", "source=" + source, "destination=" + target]
        options += ["--mount", csv_line(mount + ([] if writable else ["readonly=true"]))]
    return options


def _is_below(path: str, folder: str) -> bool:
    return (path + os.sep).startswith(folder + os.sep)


def csv_line(texts: "Iterable[str]") -> str:
    """``texts`` as one line of CSV, the format of ``--mount``."""
    return ",".join(map(_csv_field, texts))


def _csv_field(text: str) -> str:
    if any(character in text for character in ',"\n'):
        return '"{}"'.format(text.replace('"', '""'))
    return text


def _device_options(order: "LaunchOrder", container: "Json") -> "list[str]":
    """Options that expose all GPUs; CUDA_VISIBLE_DEVICES restricts the job to its own."""
    if not order.devices:
        return []
    if container["kind"] == "podman":
        return ["--device", "nvidia.com/gpu=all"]
    return ["--gpus", "all"]


def container_variables(job: "Json", attempt: "Attempt", task: "Task") -> "dict[str, str]":
    """The variables that the container gets in addition to those of its image."""
    order = attempt.order
    inherited = order.inherited
    environ = {name: inherited[name] for name in job.get("passed") or () if name in inherited}
    job_variables = job.get("variables") or {}
    if job.get("data"):
        job_variables = {
            name: variables.expand(value, task.variables) for name, value in job_variables.items()
        }
    environ.update(attempt.brought_plain)
    environ.update(job_variables)
    environ.update(mlflow_store.variables(job, order, environ))
    environ.update(task.variables)
    environ.pop("SCRIPTRUN_TOOL", None)  # that interpreter is not in the image
    container = container_of(order)
    existing_path = environ.get("PYTHONPATH") or (container.get("environ") or {}).get("PYTHONPATH")
    environ["PYTHONPATH"] = search_path.build_pythonpath(job, order.runtime, existing_path)
    if container["user"] != "0:0":
        environ.setdefault("HOME", "/tmp")
    else:  # root inside the container is the user outside
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
            environ.setdefault(name, "1")
    return environ


def _belongs_to_tool(name: str) -> bool:
    return bool(_TOOL_VARIABLES.fullmatch(name)) or "*" in name


def _variable_options(environ: "dict[str, str]") -> "list[str]":
    """``--env`` options: by name alone, or with the value where the tool reads the variable."""
    options = []
    for name, value in environ.items():
        options += ["--env", name + "=" + value if _belongs_to_tool(name) else name]
    return options


def tool_environment(order: "LaunchOrder") -> "dict[str, str]":
    """The environment of the container tool itself: that of the submitter."""
    environ = dict(order.inherited)
    environ.setdefault("PATH", os.defpath)
    for name, value in podman.VARIABLES.items():
        environ.setdefault(name, value)
    return environ


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _attempt_path(order: "LaunchOrder", name: str) -> str:
    return os.path.join(results.attempt_folder(order.folder, order.attempt), name)


def _pidfile(order: "LaunchOrder", rank: int) -> str:
    return _attempt_path(order, "container-{}.pid".format(rank))


def _record_container(attempt: "Attempt", job: "Json", task: "Task") -> None:
    order = attempt.order
    container = container_of(order)
    value = {
        "tool": container["tool"],
        "kind": container["kind"],
        "name": container_name(job, order, task),
        "image": container["image"],
        "host": identity.identify()["host"],
        "node": order.node,
    }
    path = _attempt_path(order, "container-{}.json".format(task.rank))
    files.write_atomic(path, files.to_json(value), durable=False)
    process_record.add(order, attempt.guard, process_record.CONTAINER, container=value)


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
        if first is None or not processes.is_below(first):
            # docker, or podman has not started it yet; whatever the file says, only what is below
            # this process is signalled
            processes.end_group(pid, signal.SIGTERM)
            continue
        groups = _groups(first)
        for group in groups:
            processes.end_group(group, signal.SIGTERM)
        if not groups:  # the script is about to start, or has just ended
            processes.send(first, signal.SIGTERM)


def _groups(first: int) -> "set[int]":
    """The process groups of the children of the container's init."""
    groups = set()
    for pid in processes.children(first):
        try:
            groups.add(os.getpgid(pid))
        except OSError:
            pass
    return groups - {os.getpgid(0)}


def read_status(status: int) -> int:
    """The script's wait status, decoded from the tool's: 128+n means killed by signal n."""
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return code - 128 if 128 < code <= 128 + 31 else status


def is_tool_exit_code(status: int) -> bool:
    """Whether the exit code may be the tool's own rather than the script's."""
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) in _TOOL_EXIT_CODES


def not_started(order: "LaunchOrder", rank: int, status: int) -> bool:
    """Whether the tool failed before any process of the job started."""
    if not is_tool_exit_code(status):
        return False
    if container_of(order)["kind"] == "podman":
        return first_process(order, rank) is None
    return True


def last_error(path: str, kind: str) -> str:
    """The tool's last error message in the log at ``path``."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - 4000))
            lines = handle.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "no error message from {}".format(kind)
    errors = [line for line in lines if line.startswith(("Error:", "docker:", "error", "FATAL:"))]
    return (errors or lines or ["no error message from {}".format(kind)])[-1].strip()


def local_pid(process: "Json") -> "int | None":
    """The host pid of a process in a container; None if it is gone.

    ``process`` is its identity as seen inside: pids differ there, start times do not.
    """
    for pid in processes.descendants():
        if identity.identify(pid).get("start") == process["start"]:
            if process["pid"] in processes.pids_in_namespaces(pid):
                return pid
    return None


def is_monitor_killed(attempt: "Attempt", rank: int) -> bool:
    """Whether podman's monitor (conmon) of the container was killed, so its exit status is lost."""
    first = first_process(attempt.order, rank)
    if first is None:
        return False
    parent = processes.parent_of(first)
    return parent in (1, os.getpid(), attempt.guard)


def wait_for_helpers(seconds: float = 5.0) -> "Usage":
    """Wait for the tool's helper programs to end; return the usage of reaped processes."""
    deadline = time.monotonic() + seconds
    usage: "Usage" = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 0}
    while time.monotonic() < deadline:
        try:
            pid, _, process_usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            add_usage(usage, process_usage)
        elif any(
            processes.program_name(child) in HELPER_PROGRAMS for child in processes.descendants()
        ):
            time.sleep(0.01)
        else:
            break
    return usage


def add_usage(usage: "Usage", process_usage: "struct_rusage") -> None:
    """Add ``process_usage`` (a struct rusage) to ``usage``."""
    usage["user_seconds"] = round(usage["user_seconds"] + process_usage.ru_utime, 3)
    usage["system_seconds"] = round(usage["system_seconds"] + process_usage.ru_stime, 3)
    usage["peak_memory_kb"] = max(usage["peak_memory_kb"], process_usage.ru_maxrss)


def remove_containers(order: "LaunchOrder") -> None:
    """Remove all containers that this node of the order's run has started on this host.

    The run's folder says which there were; whatever it says, no other run's are removed.
    """
    tool = container_of(order)["tool"]
    tools = (tool, shutil.which(os.path.basename(tool)))
    run_name = re.escape(_run_name(os.path.basename(order.folder)))
    pattern = re.compile(r"{}-\d+-{}-\d+".format(run_name, order.node), re.ASCII)
    own = [
        value
        for value in _container_records(order.folder)
        if value.get("tool") in tools and pattern.fullmatch(str(value.get("name")))
    ]
    remove_recorded(own, order.environ)


def remove_recorded(records: "list[Json]", environ: "Mapping[str, str] | None" = None) -> None:
    """Remove the containers of ``records`` that are on this host."""
    host = identity.identify()["host"]
    for value in records:
        if value.get("host") == host:
            _remove_container(value, environ)


def _container_records(folder: str) -> "list[Json]":
    attempts = os.path.join(folder, "attempts")
    records = []
    for attempt in _list_folder(attempts):
        for name in _list_folder(os.path.join(attempts, attempt)):
            if name.startswith("container-") and name.endswith(".json"):
                records.append(files.read_object(os.path.join(attempts, attempt, name)))
    return [value for value in records if value]


def _list_folder(folder: str) -> "list[str]":
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _remove_container(value: "Json", environ: "Mapping[str, str] | None") -> None:
    import subprocess

    command = tool_command(value) + ["rm", "--force", "--volumes"]
    command += ["--ignore", "--time", "0"] if value["kind"] == "podman" else []
    deadline = time.monotonic() + _REMOVE_SECONDS
    for attempt in range(20 if value["kind"] == "podman" else 2):
        if attempt:  # podman fails until it notices that its monitor was killed
            time.sleep(0.1)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        try:
            result = subprocess.run(
                command + [value["name"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=remaining,
                env=environ,
            )
        except (OSError, subprocess.SubprocessError):
            return
        if result.returncode == 0:
            return
