"""Lets a Python find scriptrun and what it needs where another Python has them installed.

``scriptrun exec`` imports this first in the Python that it runs code in, if that is another one
than its own, and so do the processes that such code starts. The Python's own packages come first.
"""

import importlib.machinery
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

VARIABLE = "SCRIPTRUN_EXEC_TOOL"
#: what scriptrun imports; nothing else is found in the other environment
NEEDED = ("yaml", "_yaml", "psutil", "cryptography", "_cffi_backend", "uv")


class ToolFinder:
    """Finds scriptrun before, and what it needs after, everything else."""

    def __init__(self, names: "tuple[str, ...]", folders: "list[str]") -> None:
        self.names, self.folders = names, folders

    def find_spec(
        self, fullname: str, path: "object" = None, target: "object" = None
    ) -> "ModuleSpec | None":
        """The spec of a top-level module of ``names``, else None."""
        if fullname not in self.names:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, self.folders)


def enable() -> None:
    """Find scriptrun where the variable says, if it says so."""
    folders = os.environ.get(VARIABLE, "").split(os.pathsep)[1:]
    if folders and not any(isinstance(finder, ToolFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, ToolFinder(("scriptrun",), folders))
        sys.meta_path.append(ToolFinder(NEEDED, folders))


if sys.version_info >= (3, 11):  # noqa: UP036
    enable()
