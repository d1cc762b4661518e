"""Tries damaged and hostile files on every reader: ``./dev fuzz [ARGS]`` (ARGS go to pytest).

FUZZ_EXAMPLES says how many files for each reader (default 10,000), and FUZZ_SEED repeats the files
of an earlier call.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the fuzz tests; pytest's own exit code."""
    seed = os.environ.setdefault("FUZZ_SEED", str(secrets.randbelow(10**9)))
    examples = os.environ.setdefault("FUZZ_EXAMPLES", "10000")
    print(f"{examples} files for each reader, FUZZ_SEED={seed}", flush=True)
    parallel = [] if any(word.startswith("-n") for word in arguments) else ["-n", "2"]
    tests = ["tests/faults/test_fuzzed_readers.py", f"--hypothesis-seed={seed}"]
    command = [sys.executable, "-m", "pytest", *tests, *parallel, *arguments]
    return subprocess.run(command, cwd=Path(__file__).resolve().parent.parent).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
