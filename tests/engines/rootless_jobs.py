"""Run by test_in_containers.py as a normal user: jobs in containers, and what is seen of them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pods import BASE, own
from test_in_containers import TELLS, managed, seen, submit

from scriptrun.config.environments.environment import Environment
from scriptrun.engines.local.engine import Local
from scriptrun.store import container_tool
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import DEAF

MADE = f"FROM {BASE}\nRUN echo made > /etc/made\nUSER app\n"
GRACE = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.5"}


def main() -> None:
    root = Path("podman").absolute()
    os.environ["SCRIPTRUN_CONTAINER_TOOL"] = str(own.bring_up(root))
    try:
        print(json.dumps(told(Bench(Path("bench").absolute(), Local(), image=BASE))))
    finally:
        own.end(root)


def told(bench: Bench) -> dict[str, object]:
    deaf = bench.submit(DEAF, ["mark"], variables=GRACE)
    run = submit(bench, managed(Environment.from_dockerfile("made", MADE)), TELLS)
    until(lambda: "began" in log_of(deaf))
    deaf.cancel()
    tool, ended = container_tool.require(), wait(deaf)

    def none_left() -> bool:
        said = container_tool.run(tool, ["ps", "--all", "--quiet"])
        return not said.code and not said.out

    until(none_left, "containers are left")
    return {**seen(run), "run": str(run.path), "canceled": ended, "rootless": tool.rootless}


if __name__ == "__main__":
    main()
