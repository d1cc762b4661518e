"""``./dev demo``: trains a model through scriptrun in a directory of its own and shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "sklearn-digits"
RUN = "scriptrun run -e digits --requirements requirements.txt"
STEPS = (
    (
        "Train a classifier of handwritten digits; its environment is built at the first run",
        f"{RUN} -n strict train.py -- --alpha 0.5",
    ),
    ("The run, its metrics and its files", "scriptrun show"),
    ("What it left", "scriptrun download --output ../model"),
    (
        "Once more with another argument: nothing is built again",
        f"{RUN} -n free train.py -- --alpha 0.001",
    ),
    ("The runs", "scriptrun list"),
    ("What differs", "scriptrun diff strict free"),
)


def main() -> int:
    """Run each step, showing its command; the first failing one's exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scriptrun-demo-") as place:
        copy = Path(place, "digits")
        shutil.copytree(EXAMPLE, copy)
        for what, command in STEPS:
            code = step(what, command, copy)
            if code != 0:
                return code
    print(f"\n{_took(time.monotonic() - began, int(os.environ.get('DEV_SETUP_SECONDS', '0')))}")
    return 0


def _took(seconds: float, setup: int) -> str:
    """The total in a sentence; ``setup`` seconds went by in ./dev before."""
    if not setup:
        return f"That took {seconds:.1f} s in all."
    return f"That took {seconds + setup:.0f} s in all, {setup} s of it to set up .venv."


def step(what: str, command: str, place: Path) -> int:
    """Show and run one command; its exit code."""
    print(f"\n# {what}\n$ {command}", flush=True)
    return subprocess.run(command.split(), cwd=place, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
