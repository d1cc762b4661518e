"""``./dev demo``: trains a model through scriptrun in a directory of its own and shows it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "sklearn-digits"
STEPS = (
    ("Train a classifier of handwritten digits; its environment is built at the first run", "run"),
    ("The run", "show"),
    ("All runs here", "list"),
    ("What it left", "download"),
)
COMMANDS = {
    "run": "scriptrun run -e digits --requirements requirements.txt train.py -- --alpha 0.5",
    "show": "scriptrun show",
    "list": "scriptrun list",
    "download": "scriptrun download --output model",
}


def main() -> int:
    """Run each step, showing its command; the first failing one's exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scriptrun-demo-") as place:
        copy = Path(place, "digits")
        shutil.copytree(EXAMPLE, copy)
        for what, name in STEPS:
            code = step(what, COMMANDS[name], copy)
            if code != 0:
                return code
        for path in sorted(p for p in copy.joinpath("model").rglob("*") if p.is_file()):
            print(f"  {path.relative_to(copy)}  {path.stat().st_size:,} bytes")
    print(f"\nThat took {time.monotonic() - began:.1f} s in all.")
    return 0


def step(what: str, command: str, place: Path) -> int:
    """Show and run one command; its exit code."""
    print(f"\n# {what}\n$ {command}", flush=True)
    return subprocess.run(command.split(), cwd=place, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
