"""The Python that has scriptrun installed, for the processes that scriptrun starts.

That is this process's own, but for code that ``scriptrun exec`` runs in another Python
(``scriptrun.dropin.other_python``), which finds scriptrun where ``VARIABLE`` says.
"""

from __future__ import annotations

import os
import sys

#: the Python of the command, and the folders of its packages, separated as in PATH
VARIABLE = "SCRIPTRUN_EXEC_TOOL"
#: the module of ``dropin/in_children`` that reads the variable
READER = "scriptrun_tool"


def path() -> str:
    """The Python to start scriptrun's own modules with."""
    if READER in sys.modules:
        python = os.environ.get(VARIABLE, "").split(os.pathsep)[0]
        return python or sys.executable
    return sys.executable
