"""The helper process of one node: delivers a job's inputs and uploads its outputs.

The launcher (``runtime/launcher/delivery_client.py``) starts it as
``python -m scriptrun.delivery.helper``. It reads requests as JSON lines on stdin and answers on
stdout. Credentials come from its environment: for a local job, the submitter's. When stdin closes,
it unmounts everything, releases its locks and exits.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from scriptrun.delivery import node_environment
from scriptrun.delivery.inputs import InputDelivery
from scriptrun.delivery.log import DataLog
from scriptrun.delivery.outputs import OutputDelivery
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files, identity
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

NAME = "scriptrun-data"


class DataDelivery:
    """The inputs and outputs of one job on this node."""

    def __init__(self) -> None:
        self._input_delivery: InputDelivery | None = None
        self._output_delivery: OutputDelivery | None = None

    def deliver(self, order: Json) -> Json:
        """Deliver all inputs and create the output folders; return the variables that name them."""
        folder = Path(order["folder"])
        job = JobSpec.from_dict(files.read_json(str(folder / "job.json")))
        os.environ.update(job.variables)
        workspace, log = WorkspaceFiles.reopen(order["workspace"]), DataLog(folder, order["node"])
        self._input_delivery = InputDelivery(workspace, job, order, log)
        self._output_delivery = OutputDelivery(workspace, job, order, log)
        self._input_delivery.deliver()
        self._output_delivery.prepare()
        inputs = self._input_delivery.delivered
        attempt_folder = Path(order["folder"]) / "attempts" / str(order["attempt"])
        path = attempt_folder / f"node-{order['node']}.data.json"
        provided = files.to_json({**inputs, **self._output_delivery.ready})
        files.write_atomic(str(path), provided, durable=False)
        return {**_script_variables(inputs, self._output_delivery.ready), "binds": self._binds()}

    def _binds(self) -> list[tuple[str, str, bool]]:
        """The bind mounts a container needs for the job's data."""
        assert self._input_delivery is not None and self._output_delivery is not None
        outputs = {
            os.path.realpath(output["path"]) for output in self._output_delivery.ready.values()
        }
        return [*self._input_delivery.binds, *((path, path, True) for path in sorted(outputs))]

    def build_environment(self, order: Json) -> Json:
        """Build the run's environment on this node and return its paths.

        The order's ``secrets`` are available to this process during the build.
        """
        folder = Path(order["folder"])
        with vault.with_secrets(order["secrets"]):
            return node_environment.build(
                WorkspaceFiles.reopen(order["workspace"]), folder, order["node"]
            )

    def finish(self, state: str) -> Json:
        """Upload the outputs, then close; return the problems as one line, or ""."""
        problem = ""
        try:
            if self._output_delivery is not None:
                self._output_delivery.send(state)
        except ScriptrunError as error:
            problem = error_text(error)
        finally:
            mount_problems = self.close()
        return {"error": "; ".join(filter(None, [problem, *mount_problems]))}

    def register(self, state: str) -> Json:
        """Register the datasets of outputs that several nodes wrote."""
        if self._output_delivery is not None and state == "Completed":
            self._output_delivery.register()
        return {}

    def close(self) -> list[str]:
        """Unmount and release everything; return the mount problems of the job."""
        if self._output_delivery is not None:
            self._output_delivery.close()
        input_delivery, self._input_delivery = self._input_delivery, None
        return input_delivery.close() if input_delivery is not None else []


def error_text(error: ScriptrunError) -> str:
    """The error and its hint as one line."""
    return " ".join(filter(None, [error.message, error.hint]))


def _script_variables(inputs: Json, outputs: Json) -> Json:
    """The script's variables: data references, and plain names."""
    references: dict[str, str] = {}
    environ: dict[str, str] = {}
    for name, delivered in {**inputs, **outputs}.items():
        references[f"AZUREML_DATAREFERENCE_{name}"] = delivered["value"]
        if delivered["kind"] != "reference":
            environ[name] = delivered["value"]
        for alias in delivered.get("variables") or ():
            environ[alias] = delivered["value"]
        upper = name.upper()
        if delivered["kind"] in ("file", "tabular") and upper not in os.environ:
            environ.setdefault(upper, delivered["value"])
    if outputs:
        references["AZUREML_DATASET_FILE_OUTPUTS"] = ",".join(outputs)
    return {"variables": references, "environ": environ}


def deliver_to_visit(
    workspace: WorkspaceFiles, job: JobSpec, visit_folder: Path, work_dir: Path
) -> tuple[dict[str, str], Callable[[], object]]:
    """Deliver a job's data to a visit: return its variables, and a function that releases it.

    Inputs are delivered as they are for the job. Outputs are empty folders below ``visit_folder``
    that are never uploaded. Raises a ScriptrunError that names the input that failed.
    """
    order = {"attempt": "visit", "node": os.getpid(), "work": str(work_dir)}
    input_delivery = InputDelivery(workspace, job, order, DataLog(visit_folder, 0))
    try:
        input_delivery.deliver()
    except BaseException:
        input_delivery.close()
        raise
    ready = {}
    for output_spec in job.data.outputs:
        folder = visit_folder / "written" / output_spec.name
        folder.mkdir(parents=True, exist_ok=True)
        ready[output_spec.name] = {"kind": "output", "value": str(folder)}
    variables = _script_variables(input_delivery.delivered, ready)
    return {**variables["environ"], **variables["variables"]}, input_delivery.close


def main() -> None:
    """Answer requests until stdin closes."""
    identity.set_process_name(NAME)  # not taken for a leftover of the script
    responses = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints goes to the log
    delivery = DataDelivery()
    busy = threading.Event()
    threading.Thread(target=_exit_when_launcher_ends, args=[busy], daemon=True).start()
    try:
        for line in sys.stdin:
            busy.set()
            answer = json.dumps(_answer(delivery, json.loads(line)))
            busy.clear()  # the launcher may close the input as soon as it has the answer
            responses.write(answer + "\n")
            responses.flush()
    except BrokenPipeError:
        pass
    finally:
        delivery.close()


def _exit_when_launcher_ends(busy: threading.Event) -> None:
    """Exit at once if the launcher ends while a request is being answered.

    The process's locks and mounts go with it; completed downloads stay in the cache.
    """
    poll = select.poll()
    poll.register(0, 0)  # reports only that stdin was closed
    poll.poll()
    if busy.is_set():
        os._exit(1)


def _answer(delivery: DataDelivery, request: Json) -> Json:
    try:
        if request["do"] == "deliver":
            return delivery.deliver(request)
        if request["do"] == "environment":
            return delivery.build_environment(request)
        if request["do"] == "register":
            return delivery.register(request["state"])
        return delivery.finish(request["state"])
    except ScriptrunError as error:
        return {"error": error_text(error)}
    except Exception as error:  # an internal error: the run must still end
        traceback.print_exc()
        return {"error": f"data delivery failed: {error}"}


if __name__ == "__main__":
    main()
