"""The script's environment variables, and its arguments with references expanded."""

import errno
import json
import os
import re

from scriptrun.runtime import conda_prefix, files, mlflow_store, search_path
from scriptrun.runtime.launcher import collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import Attempt, LaunchOrder


_NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Task:
    """One process of the job on this node: its rank, command line and variables.

    ``variables`` are those that scriptrun sets; ``log`` is an artifact name. ``is_server`` means
    that it runs until it is stopped. ``name`` is used in messages ("rank 3"); "" for a job's only
    process. ``starved`` means that it ran out of memory.
    """

    def __init__(
        self,
        rank: int,
        local_rank: int,
        node: int,
        argv: "list[str]",
        variables: "dict[str, str]",
        log: str,
    ) -> None:
        self.rank, self.local_rank, self.node = rank, local_rank, node
        self.argv, self.variables, self.log = argv, variables, log
        self.name, self.is_server, self.starved = "rank {}".format(rank), False, False


def single_task(job: "Json", attempt: "Attempt") -> "Task":
    """The only task of a job that is not distributed."""
    system = system_variables(job, attempt)
    argv = command_line(job, attempt.order, system)
    task = Task(0, 0, 0, argv, system, "user_logs/std_log.txt")
    task.name = ""
    return task


def system_variables(job: "Json", attempt: "Attempt") -> "dict[str, str]":
    """The variables that scriptrun sets for the job on this node, for rank 0."""
    order = attempt.order
    folder = order.folder
    facts = _workspace_facts(order.workspace)
    environ = {
        "SCRIPTRUN_RUN_ID": job["id"],
        "SCRIPTRUN_RUN_FOLDER": folder,
        "SCRIPTRUN_WORKSPACE": order.workspace,
        "SCRIPTRUN_EXPERIMENT": job["experiment"],
        "SCRIPTRUN_RANK": "0",
        "SCRIPTRUN_NODE": str(order.node),
        "SCRIPTRUN_ATTEMPT": str(order.attempt),
        "SCRIPTRUN_CHECKPOINT_DIR": collect.checkpoints(folder),
        "AZUREML_RUN_ID": job["id"],
        "AZUREML_ARM_WORKSPACE_NAME": job["workspace"],
        "AZUREML_ARM_PROJECT_NAME": job["experiment"],
        "AZUREML_ARM_RESOURCEGROUP": facts.get("resource_group") or "scriptrun",
        "AZUREML_ARM_SUBSCRIPTION": facts.get("subscription_id") or _NO_SUBSCRIPTION,
        "AZUREML_EXPERIMENT_ID": job["experiment"],
        "AZUREML_WORKSPACE_ID": job["workspace"],
        "AZUREML_LOGDIRECTORY_PATH": os.path.join(folder, "user_logs"),
        "AZUREML_NODE_COUNT": str(order.nodes),
        "AZUREML_CR_NODE_RANK": str(order.node),
        "AZ_BATCHAI_TASK_INDEX": str(order.node),
        "PYTHONUNBUFFERED": "True",
    }
    definition = job.get("run_definition") or {}
    environ["AZUREML_FRAMEWORK"] = str(definition.get("framework") or "Python")
    environ["AZUREML_COMMUNICATOR"] = str(definition.get("communicator") or "None")
    if order.devices:
        environ["CUDA_VISIBLE_DEVICES"] = order.devices
    if order.tool:
        environ["SCRIPTRUN_TOOL"] = json.dumps(list(order.tool))
    data_variables = (job.get("data") or {}).get("variables") or {}
    environ.update({name: os.path.expanduser(path) for name, path in data_variables.items()})
    environ.update(attempt.brought)
    return environ


def _workspace_facts(root: str) -> "Json":
    """The content of the workspace's workspace.json; empty if it cannot be read."""
    try:
        path = os.path.join(root, ".scriptrun", "workspace.json")
        return files.read_object(path) or {}
    except OSError:
        return {}


def process_environment(
    job: "Json", order: "LaunchOrder", system: "dict[str, str]"
) -> "dict[str, str]":
    """The whole environment of the script: inherited variables, then the job's, then scriptrun's.

    Raises OSError if a conda prefix cannot be activated.
    """
    environ = dict(order.inherited)
    mlflow_store.drop_submitters(job, environ)
    for name in ("__PYVENV_LAUNCHER__", "PYTHONHOME", "VIRTUAL_ENV", "SCRIPTRUN_EXEC_TOOL"):
        environ.pop(name, None)
    if environ.get("MPLBACKEND", "").startswith("module://"):
        del environ["MPLBACKEND"]  # a notebook's or an IDE's: the job has neither
    job_variables = job.get("variables") or {}
    prefix = conda_prefix.find_prefix(order.bin)
    if prefix:
        environ = conda_prefix.activate(prefix, environ)
    if job.get("data"):
        job_variables = {name: expand(value, system) for name, value in job_variables.items()}
    environ.update(job_variables)
    environ.update(mlflow_store.variables(job, order, environ))
    environ.update(system)
    environ["PYTHONPATH"] = search_path.build_pythonpath(
        job, order.runtime, environ.get("PYTHONPATH")
    )
    if order.bin and (not prefix or "PATH" in job_variables):
        environ["PATH"] = _prepend_path(order.bin, environ.get("PATH") or os.defpath)
    if order.prefix and not prefix:
        environ["VIRTUAL_ENV"] = order.prefix
    return environ


def _prepend_path(entry: str, rest: "str | None") -> str:
    return entry + os.pathsep + rest if rest else entry


def expand(argument: str, system: "dict[str, str]") -> str:
    """``argument`` with references to variables in ``system`` expanded, others unchanged."""

    def value(reference: "re.Match[str]") -> str:
        return system.get(reference.group(1) or reference.group(2), reference.group(0))

    return _REFERENCE.sub(value, argument) if "$" in argument else argument


def command_line(job: "Json", order: "LaunchOrder", system: "dict[str, str]") -> "list[str]":
    """The command line of the job."""
    if order.container:
        return _container_command(job, order, system)
    if job.get("kind") == "service":
        return [order.python or "", _server(order)]
    if job.get("command"):
        shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
        return [shell, "-c", job["command"]]
    arguments = [expand(argument, system) for argument in job.get("arguments") or ()]
    return [order.python, job["script"]] + arguments


def _server(order: "LaunchOrder") -> str:
    """The script that serves a model, in the job's runtime."""
    return os.path.join(order.runtime, "scriptrun", "runtime", "serving", "entry.py")


def _container_command(job: "Json", order: "LaunchOrder", system: "dict[str, str]") -> "list[str]":
    """The image's Python with the script, or the image's shell with the command.

    Raises OSError if the image has no Python.
    """
    container = order.container or {}
    if job.get("command"):
        if container.get("shell"):
            return [container["shell"], "-c", job["command"]]
        import shlex  # the image has no shell, so the command is split here

        return shlex.split(expand(job["command"], system))
    if not container.get("python"):
        message = "image {} has no Python; use one that does, or set its path with "
        message += "environment.python.interpreter_path"
        raise OSError(errno.ENOENT, message.format(container["named"]))
    if job.get("kind") == "service":
        return [container["python"], _server(order)]
    arguments = [expand(argument, system) for argument in job.get("arguments") or ()]
    return [container["python"], job["script"]] + arguments
