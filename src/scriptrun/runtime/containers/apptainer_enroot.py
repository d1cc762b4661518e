"""Run a task in an image with apptainer or enroot, the tools of clusters (Python 3.8+).

Both need no daemon and no root: containers are ordinary child processes, so there is nothing to
remove, and signals work as usual. ``apptainer exec`` (also called singularity):
https://apptainer.org/docs/user/main/cli.html; ``enroot start``:
https://github.com/NVIDIA/enroot/blob/master/doc/cmd/start.md.
"""

import os
import shutil

from .. import files, results
from . import docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


KINDS = ("apptainer", "enroot")
#: apptainer's exit code for its own failures
_TOOL_FAILED = 255
#: the script that enroot runs in the container instead of the image's entrypoint
_RC_SCRIPT = 'cd "$SCRIPTRUN_WORK" && exec "$@"\n'


def run_command(
    job: "Json", attempt: "Attempt", task: "Task", work: str
) -> "tuple[list[str], dict[str, str]]":
    """The command line that runs ``task`` in the image, and that command's own variables."""
    job_variables = docker.container_variables(job, attempt, task)
    build = (
        _apptainer_command
        if docker.container_of(attempt.order)["kind"] == "apptainer"
        else _enroot_command
    )
    return build(job, attempt, task, work, job_variables)


def find_program(kind: str) -> str:
    """The path of the container tool on this node; apptainer may still be called singularity."""
    override = os.environ.get("SCRIPTRUN_CONTAINER_TOOL")
    names = [override] if override else [kind] + (["singularity"] if kind == "apptainer" else [])
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError(2, "{} not found on this node".format(" or ".join(names)), names[0])


def _apptainer_command(
    job: "Json", attempt: "Attempt", task: "Task", work: str, variables: "dict[str, str]"
) -> "tuple[list[str], dict[str, str]]":
    """Variables are passed as APPTAINERENV_NAME, never on the command line."""
    order = attempt.order
    container = docker.container_of(order)
    name = find_program("apptainer")
    command = [name, "--silent", "exec", "--cleanenv", "--no-eval", "--no-home", "--pwd", work]
    command += [] if os.geteuid() else ["--userns"]  # root in a container may lack privileges
    for source, target, writable in docker.bind_mounts(job, attempt):
        mount = ["type=bind", "source=" + source, "destination=" + target]
        command += ["--mount", docker.csv_line(mount + ([] if writable else ["ro"]))]
    command += ["--nv"] if order.devices else []
    command += [str(argument) for argument in container.get("arguments") or ()]
    prefix = "SINGULARITYENV_" if name.endswith("singularity") else "APPTAINERENV_"
    environ = docker.tool_environment(order)
    variables = {name: value for name, value in variables.items() if name != "HOME"}
    environ.update({prefix + name: value for name, value in variables.items()})
    return command + [container["file"]] + list(task.argv), environ


def _enroot_command(
    job: "Json", attempt: "Attempt", task: "Task", work: str, variables: "dict[str, str]"
) -> "tuple[list[str], dict[str, str]]":
    """Variables are passed by name; the image is started without unpacking it."""
    order = attempt.order
    container = docker.container_of(order)
    folder = results.attempt_folder(order.folder, order.attempt)
    script = os.path.join(folder, "container-{}.rc".format(task.rank))
    files.write_atomic(script, _RC_SCRIPT.encode(), durable=False)
    command = [find_program("enroot"), "start", "--rw", "--rc", script]
    for source, target, writable in docker.bind_mounts(job, attempt):
        mount_options = (
            "x-create=dir,bind,rprivate" if writable else "x-create=dir,bind,rprivate,ro"
        )
        command += ["--mount", "{}:{}:none:{}".format(source, target, mount_options)]
    variables = dict(variables, SCRIPTRUN_WORK=work)
    if order.devices:
        variables.setdefault("NVIDIA_VISIBLE_DEVICES", "all")
    for name in variables:
        command += ["--env", name]
    command += [str(argument) for argument in container.get("arguments") or ()]
    return command + [container["file"]] + list(task.argv), dict(
        docker.tool_environment(order), **variables
    )


def not_started(attempt: "Attempt", rank: int, status: int) -> bool:
    """Whether the tool failed before any process of the job started: it then logs FATAL."""
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != _TOOL_FAILED:
        return False
    task = next(candidate for candidate in attempt.tasks.values() if candidate.rank == rank)
    log = os.path.join(attempt.order.folder, *task.log.split("/"))
    return docker.last_error(log, "").startswith("FATAL")
