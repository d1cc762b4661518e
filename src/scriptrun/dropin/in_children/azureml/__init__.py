"""The package ``azureml`` in a process that old code starts (Python 3.6+).

Where scriptrun is installed, its drop-in takes over. Elsewhere an installed azureml is imported.
"""

import importlib
import os
import sys


def _hand_over() -> None:
    """Replace this module by the drop-in's, or by an installed one."""
    importlib.import_module("scriptrun_tool")
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    front = sys.modules.pop(__name__)
    try:
        importlib.import_module("scriptrun.dropin")
    except ImportError:
        pass
    importlib.import_module(__name__)
    sys.modules.setdefault(__name__, front)


if __name__ == "azureml":
    _hand_over()
