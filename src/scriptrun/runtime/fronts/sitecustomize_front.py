"""``sitecustomize`` of jobs that old code has submitted: names that went from packages are found.

Python imports it at its start (https://docs.python.org/3/library/site.html), from the folder
``old`` of what runs with jobs. One that the environment has of its own is executed after it.
Python 3.6+.
"""

import importlib.util
import os
import sys


def _install(folder: str) -> None:
    """Let the old names be found; they are read from their file, below no installed scriptrun."""
    place = os.path.join(folder, "scriptrun", "runtime", "injob", "compat_names.py")
    spec = importlib.util.spec_from_file_location("scriptrun_old_names", place)
    assert spec is not None and spec.loader is not None
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    names.install()


def _go_on(folder: str) -> None:
    """Execute the ``sitecustomize`` that would have been found without this one."""
    here = sys.modules.pop(__name__)
    kept = sys.path[:]
    sys.path[:] = [each for each in kept if os.path.abspath(each) != folder]
    try:
        if importlib.util.find_spec(__name__) is not None:
            __import__(__name__)
    finally:
        sys.path[:] = kept
        sys.modules.setdefault(__name__, here)


if __name__ == "sitecustomize":
    _HERE = os.path.dirname(os.path.abspath(__file__))
    _install(os.path.dirname(_HERE))
    _go_on(_HERE)
