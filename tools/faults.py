"""Kills processes at random moments: ``./dev faults [ARGS]`` (ARGS go to pytest).

FAULT_ROUNDS says how many moments (default 500) and FAULT_SEED repeats those of an earlier call.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the fault tests; pytest's own exit code."""
    seed = os.environ.setdefault("FAULT_SEED", str(secrets.randbelow(10**9)))
    rounds = os.environ.setdefault("FAULT_ROUNDS", "500")
    print(f"{rounds} random moments, FAULT_SEED={seed}", flush=True)
    parallel = [] if any(word.startswith("-n") for word in arguments) else ["-n", "2"]
    command = [sys.executable, "-m", "pytest", "tests/faults", *parallel, *arguments]
    return subprocess.run(command, cwd=Path(__file__).resolve().parent.parent).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
