"""``python -m scriptrun``: the command, where it is not on PATH."""

from __future__ import annotations

import sys

from scriptrun.cli import main

if __name__ == "__main__":
    sys.exit(main())
