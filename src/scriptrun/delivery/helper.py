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

from scriptrun.delivery.inputs import Bringing
from scriptrun.delivery.log import Telling
from scriptrun.delivery.outputs import Sending
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.delivery import node_environment
    from scriptrun.runtime.hints import Json
    from scriptrun.store.secrets import vault
else:
    vault, node_environment = (
        later("scriptrun.store.secrets.vault"),
        later("scriptrun.delivery.node_environment"),
    )

NAME = "scriptrun-data"


class Delivering:
    """The inputs and outputs of one job on this node."""

    def __init__(self) -> None:
        self._bringing: Bringing | None = None
        self._sending: Sending | None = None

    def deliver(self, order: Json) -> Json:
        """Deliver all inputs and create the output folders; return the variables that name them."""
        folder = Path(order["folder"])
        job = files.read_json(str(folder / "job.json"))
        os.environ.update(job.get("variables") or {})
        home, telling = WorkspaceFiles(order["workspace"]), Telling(folder, order["node"])
        self._bringing = Bringing(home, job, order, telling)
        self._sending = Sending(home, job, order, telling)
        self._bringing.bring()
        self._sending.prepare()
        brought = self._bringing.brought
        kept = Path(order["folder"]) / "attempts" / str(order["attempt"])
        path = kept / f"node-{order['node']}.data.json"
        files.write_atomic(str(path), files.to_json({**brought, **self._sending.ready}))
        return {**_variables(brought, self._sending.ready), "binds": self._binds()}

    def _binds(self) -> list[tuple[str, str, bool]]:
        """The bind mounts a container needs for the job's data."""
        assert self._bringing is not None and self._sending is not None
        outputs = {os.path.realpath(each["path"]) for each in self._sending.ready.values()}
        return [*self._bringing.binds, *((each, each, True) for each in sorted(outputs))]

    def environment(self, order: Json) -> Json:
        """Build the run's environment on this node and return its paths.

        The order's ``secrets`` are available to this process during the build.
        """
        folder = Path(order["folder"])
        with vault.with_secrets(order["secrets"]):
            return node_environment.build(WorkspaceFiles(order["workspace"]), folder, order["node"])

    def finish(self, state: str) -> Json:
        """Upload the outputs, then close; return the problems as one line, or ""."""
        problem = ""
        try:
            if self._sending is not None:
                self._sending.send(state)
        except ScriptrunError as error:
            problem = sentence(error)
        finally:
            lost = self.close()
        return {"error": "; ".join(filter(None, [problem, *lost]))}

    def register(self, state: str) -> Json:
        """Register the datasets of outputs that several nodes wrote."""
        if self._sending is not None and state == "Completed":
            self._sending.register()
        return {}

    def close(self) -> list[str]:
        """Unmount and release everything; return the mount problems of the job."""
        if self._sending is not None:
            self._sending.close()
        bringing, self._bringing = self._bringing, None
        return bringing.close() if bringing is not None else []


def sentence(error: ScriptrunError) -> str:
    """The error and its hint as one line."""
    return " ".join(filter(None, [error.message, error.hint]))


def _variables(inputs: Json, outputs: Json) -> Json:
    """The script's variables: data references, and plain names."""
    references: dict[str, str] = {}
    plain: dict[str, str] = {}
    for name, found in {**inputs, **outputs}.items():
        references[f"AZUREML_DATAREFERENCE_{name}"] = found["value"]
        if found["kind"] != "reference":
            plain[name] = found["value"]
        for other in found.get("variables") or ():
            plain[other] = found["value"]
        upper = name.upper()
        if found["kind"] in ("file", "tabular") and upper not in os.environ:
            plain.setdefault(upper, found["value"])
    if outputs:
        references["AZUREML_DATASET_FILE_OUTPUTS"] = ",".join(outputs)
    return {"variables": references, "environ": plain}


def for_a_visit(
    home: WorkspaceFiles, job: Json, place: Path, work: Path
) -> tuple[dict[str, str], Callable[[], object]]:
    """Deliver a job's data to a visit: return its variables, and a function that releases it.

    Inputs are delivered as they are for the job. Outputs are empty folders below ``place`` that are
    never uploaded. Raises a ScriptrunError that names the input that failed.
    """
    order = {"attempt": "visit", "node": os.getpid(), "work": str(work)}
    bringing = Bringing(home, job, order, Telling(place, 0))
    try:
        bringing.bring()
    except BaseException:
        bringing.close()
        raise
    ready = {}
    for wanted in job["data"].get("outputs") or ():
        folder = place / "written" / wanted["name"]
        folder.mkdir(parents=True, exist_ok=True)
        ready[wanted["name"]] = {"kind": "output", "value": str(folder)}
    found = _variables(bringing.brought, ready)
    return {**found["environ"], **found["variables"]}, bringing.close


def main() -> None:
    """Answer requests until stdin closes."""
    call_me(NAME)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints goes to the log
    delivering = Delivering()
    busy = threading.Event()
    threading.Thread(target=_leave_when_alone, args=[busy], daemon=True).start()
    try:
        for line in sys.stdin:
            busy.set()
            answers.write(json.dumps(_answer(delivering, json.loads(line))) + "\n")
            answers.flush()
            busy.clear()
    except BrokenPipeError:
        pass
    finally:
        delivering.close()


def _leave_when_alone(busy: threading.Event) -> None:
    """Exit at once if the launcher ends while a request is being answered.

    The process's locks and mounts go with it; completed downloads stay in the cache.
    """
    poll = select.poll()
    poll.register(0, 0)  # reports only that stdin was closed
    poll.poll()
    if busy.is_set():
        os._exit(1)


def _answer(delivering: Delivering, question: Json) -> Json:
    try:
        if question["do"] == "deliver":
            return delivering.deliver(question)
        if question["do"] == "environment":
            return delivering.environment(question)
        if question["do"] == "register":
            return delivering.register(question["state"])
        return delivering.finish(question["state"])
    except ScriptrunError as error:
        return {"error": sentence(error)}
    except Exception as error:  # an internal error: the run must still end
        traceback.print_exc()
        return {"error": f"data delivery failed: {error}"}


def call_me(name: str) -> None:
    """Set this process's name, so that it is not taken for a leftover of the script."""
    try:
        with open("/proc/self/comm", "w") as handle:
            handle.write(name)
    except OSError:
        pass


if __name__ == "__main__":
    main()
