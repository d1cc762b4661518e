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
_FAILED = 255
#: the script that enroot runs in the container instead of the image's entrypoint
_RC = 'cd "$SCRIPTRUN_WORK" && exec "$@"\n'


def start_line(
    job: "Json", attempt: "Attempt", task: "Task", work: str
) -> "tuple[list[str], dict[str, str]]":
    """The command line that runs ``task`` in the image, and that command's own variables."""
    given = docker.given_variables(job, attempt, task)
    make = _apptainer if docker.told_of(attempt.order)["kind"] == "apptainer" else _enroot
    return make(job, attempt, task, work, given)


def program(kind: str) -> str:
    """The path of the container tool on this node; apptainer may still be called singularity."""
    named = os.environ.get("SCRIPTRUN_CONTAINER_TOOL")
    names = [named] if named else [kind] + (["singularity"] if kind == "apptainer" else [])
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise FileNotFoundError(2, "{} not found on this node".format(" or ".join(names)), names[0])


def _apptainer(
    job: "Json", attempt: "Attempt", task: "Task", work: str, given: "dict[str, str]"
) -> "tuple[list[str], dict[str, str]]":
    """Variables are passed as APPTAINERENV_NAME, never on the command line."""
    order = attempt.order
    told = docker.told_of(order)
    name = program("apptainer")
    words = [name, "--silent", "exec", "--cleanenv", "--no-eval", "--no-home", "--pwd", work]
    words += [] if os.geteuid() else ["--userns"]  # root in a container may lack privileges
    for source, place, write in docker.binds(job, attempt):
        mount = ["type=bind", "source=" + source, "destination=" + place]
        words += ["--mount", docker.fields(mount + ([] if write else ["ro"]))]
    words += ["--nv"] if order.devices else []
    words += [str(each) for each in told.get("arguments") or ()]
    prefix = "SINGULARITYENV_" if name.endswith("singularity") else "APPTAINERENV_"
    environ = docker.own_environment(order)
    given = {name: value for name, value in given.items() if name != "HOME"}
    environ.update({prefix + name: value for name, value in given.items()})
    return words + [told["file"]] + list(task.argv), environ


def _enroot(
    job: "Json", attempt: "Attempt", task: "Task", work: str, given: "dict[str, str]"
) -> "tuple[list[str], dict[str, str]]":
    """Variables are passed by name; the image is started without unpacking it."""
    order = attempt.order
    told = docker.told_of(order)
    place = results.attempt_folder(order.folder, order.attempt)
    script = os.path.join(place, "container-{}.rc".format(task.rank))
    files.write_atomic(script, _RC.encode())
    words = [program("enroot"), "start", "--rw", "--rc", script]
    for source, where, write in docker.binds(job, attempt):
        how = "x-create=dir,bind,rprivate" if write else "x-create=dir,bind,rprivate,ro"
        words += ["--mount", "{}:{}:none:{}".format(source, where, how)]
    given = dict(given, SCRIPTRUN_WORK=work)
    if order.devices:
        given.setdefault("NVIDIA_VISIBLE_DEVICES", "all")
    for name in given:
        words += ["--env", name]
    words += [str(each) for each in told.get("arguments") or ()]
    return words + [told["file"]] + list(task.argv), dict(docker.own_environment(order), **given)


def not_started(attempt: "Attempt", rank: int, status: int) -> bool:
    """Whether the tool failed before any process of the job started: it then logs FATAL."""
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != _FAILED:
        return False
    task = next(each for each in attempt.tasks.values() if each.rank == rank)
    log = os.path.join(attempt.order.folder, *task.log.split("/"))
    return docker.last_words(log, "").startswith("FATAL")
