"""The launcher's front door: by fork from a single-threaded process, or as a fresh interpreter.

As a program (``python -I -S -c "...; entry.main()"``) it reads its order, one JSON object, from
standard input. The order says: ``folder``, ``attempt``, ``node``, ``nodes``, ``workspace``,
``store`` (the snapshots), ``runtime`` (what the script imports), ``python``, ``bin``, ``prefix``
(the environment), ``environ`` (what is inherited), ``devices``, ``ticket``, ``wake``, ``keep``
(descriptors of slots). For several nodes see docs/explanation/engines.md.
"""

import json
import os
import sys

from . import guard

#: the guards that this process has forked
forked = set()


def fork(order, keep=()):
    """Start the job of ``order`` from this process, which must have one thread; return the pid."""
    pid = guard.fork(order, keep)
    forked.add(pid)
    return pid


def main():
    """Start the job of the order on standard input, in this process; never returns."""
    order = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    guard.guard(_placed(order), tuple(order.pop("keep", ())))


def _placed(order):
    """``order`` with the node's place read from the variables that it names, as numbers."""
    for name in ("node", "nodes", "address", "head"):
        value = order.get(name)
        if isinstance(value, str) and value.startswith("$"):
            order[name] = os.environ[value[1:]]
    order["node"], order["nodes"] = int(order["node"]), int(order["nodes"])
    return order
