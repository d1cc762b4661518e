"""``./dev faults [N]``: the tests marked ``faults``, each at N random moments (200).

They read N from SCRIPTRUN_FAULTS and print the seed of each moment.
"""

from __future__ import annotations

import os
import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Pytest's exit code."""
    moments = arguments[0] if arguments else "200"
    if not moments.isdigit():
        sys.exit(f"./dev faults takes a number of moments, not {moments!r}.")
    command = [sys.executable, "-m", "pytest", "-m", "faults", "-s", *arguments[1:]]
    return subprocess.run(command, env={**os.environ, "SCRIPTRUN_FAULTS": moments}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
