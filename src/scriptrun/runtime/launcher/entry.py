"""Start the launcher: by fork from a single-threaded process, or in a new interpreter.

As a program (``python -I -S -c "...; entry.main()"``) it reads its order, a JSON object, from
standard input; ``runtime/order.py`` defines it.
"""

import json
import sys

from ..order import Attempt, LaunchOrder
from . import guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


#: pids of the guards that this process forked
forked: "set[int]" = set()


def fork(order: "LaunchOrder") -> int:
    """Start the job of ``order`` from this process, which must have one thread; return the pid."""
    pid = guard.fork(order)
    forked.add(pid)
    return pid


def main() -> "NoReturn":
    """Start the job of the order on standard input, in this process; never returns."""
    value = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    try:
        order = LaunchOrder.from_json(value)
    except ValueError as error:
        sys.exit(str(error))
    guard.guard(Attempt(order))
