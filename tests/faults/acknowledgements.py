"""A process that does one kind of work over and over, and writes down what has been acknowledged.

``python acknowledgements.py ORDER``: ORDER is JSON with the ``kind`` of work, the bench's ``root``
and what the kind needs. A line of JSON follows each piece of work that was acknowledged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from scriptrun import Dataset, Environment, Model, Workspace
from scriptrun.engines.local import engine as local_engine
from scriptrun.engines.local.engine import Local
from scriptrun.testing import jobs

#: what each run writes: its number as an output, a metric, and a line of its log
SCRIPT = """
import sys
from scriptrun import Run
Run.get_context().log("number", int(sys.argv[1]))
open("outputs/number.txt", "w").write(sys.argv[1] * 1000)
print("number", sys.argv[1])
"""


class Work:
    """The kinds of work: each method does one piece and returns what was acknowledged."""

    def __init__(self, order: dict) -> None:
        self.order, self.root = order, Path(order["root"])
        self.workspace = Workspace(order["root"])

    def submit(self, number: int) -> dict:
        return {"run": self._place(number).id}

    def run(self, number: int) -> dict:
        run = self._place(number)
        return {"run": run.id, "state": jobs.wait(run)}

    def build(self, number: int) -> dict:
        """A run in an environment that is built for it."""
        requirements = self.root / "requirements.txt"
        wheel = Path(self.order["wheels"]) / f"small-{number}.0-py3-none-any.whl"
        requirements.write_text(f"--no-index\nsmall @ {wheel.as_uri()}\n")
        run = self._place(number, requirements=str(requirements))
        return {"run": run.id, "state": jobs.wait(run), "number": number}

    def model(self, number: int) -> dict:
        folder = self.root / "model"
        folder.mkdir(exist_ok=True)
        for name in "abc":
            (folder / name).write_text(f"{name}{number}" * 1000)
        model = Model.register(self.workspace, str(folder), "model")
        return {"version": model.version, "number": number}

    def dataset(self, number: int) -> dict:
        store = self.workspace.get_default_datastore()
        (self.root / f"{number}.csv").write_text(f"a,b\n{number},1\n")
        store.upload_files(
            [str(self.root / f"{number}.csv")], target_path="data", show_progress=False
        )
        dataset = Dataset.File.from_files((store, "data")).register(
            self.workspace, "dataset", create_new_version=True
        )
        return {"version": dataset.version, "files": len(dataset.to_path()), "number": number}

    def secret(self, number: int) -> dict:
        self.workspace.get_default_keyvault().set_secret(f"secret-{number}", str(number))
        return {"number": number}

    def environment(self, number: int) -> dict:
        environment = Environment("environment")
        environment.environment_variables = {"NUMBER": str(number)}
        return {"version": environment.register(self.workspace).version, "number": number}

    def edit(self, number: int) -> dict:
        """Tag and annotate the run that has ended, and pin it, or no longer."""
        (run,) = self.workspace.runs()
        run.tag(f"edit-{number}")
        run.note = str(number)
        run.pin(undo=number % 2 == 0)
        return {"run": run.id, "number": number}

    def migrate(self, number: int) -> dict:
        file = Path(self.order["disk"]) / f"{number}.py"
        file.write_text(f"from azureml.core import Workspace, Run\nprint({number})\n")
        os.sync()
        command = [sys.executable, "-m", "scriptrun", "migrate", "--write", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {"file": str(file), "text": file.read_text()}

    def _place(self, number: int, **settings: object) -> jobs.Run:
        """Submit the script, whose source differs each time."""
        bench = jobs.Bench(self.root, Local(max_runs=self.order.get("max_runs")))
        source = bench.source(f"# {number}\n{SCRIPT}")
        (source / "large.bin").write_bytes(str(number).encode() * (1 << 20))
        return jobs.place_order(bench.order(source=source, arguments=[str(number)], **settings))


def main() -> None:
    """Work until the process is killed, or the disk is gone."""
    local_engine.allow_fork()
    order = json.loads(sys.argv[1])
    work = getattr(Work(order), order["kind"])
    for number in range(1, 1_000_000):
        print(json.dumps(work(number)), flush=True)


if __name__ == "__main__":
    main()
