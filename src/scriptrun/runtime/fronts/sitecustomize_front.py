"""``sitecustomize`` for jobs of old code: restores names that packages have removed.

Python imports it at startup (https://docs.python.org/3/library/site.html) from the folder ``old``
of the job runtime. The environment's own sitecustomize runs after it. Python 3.6+.
"""

import importlib.util
import os
import sys


def _install(folder: str) -> None:
    """Restore the old names; loads compat_names.py by path, not from an installed scriptrun."""
    path = os.path.join(folder, "scriptrun", "runtime", "injob", "compat_names.py")
    spec = importlib.util.spec_from_file_location("scriptrun_old_names", path)
    assert spec is not None and spec.loader is not None
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    names.install()


def _run_next(folder: str) -> None:
    """Run the environment's own ``sitecustomize``, if any."""
    module = sys.modules.pop(__name__)
    saved_path = sys.path[:]
    sys.path[:] = [entry for entry in saved_path if os.path.abspath(entry) != folder]
    try:
        if importlib.util.find_spec(__name__) is not None:
            __import__(__name__)
    finally:
        sys.path[:] = saved_path
        sys.modules.setdefault(__name__, module)


if __name__ == "sitecustomize":
    _FOLDER = os.path.dirname(os.path.abspath(__file__))
    _install(os.path.dirname(_FOLDER))
    _run_next(_FOLDER)
