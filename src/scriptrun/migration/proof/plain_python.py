"""The process as ``python FILE`` has it: without azureml's names, and without removed names.

The recorder needs modules of ``scriptrun.dropin``, whose import brings both.
"""

from __future__ import annotations

import collections
import inspect
import sys
import time

import scriptrun

_PATCHED_MODULES = (collections, inspect, time)
_DROPIN = "scriptrun.dropin"


class Before:
    """The process before the import of the drop-in; ``restore()`` undoes that import."""

    def __init__(self) -> None:
        self._finders = list(sys.meta_path)
        self._names = [set(vars(module)) for module in _PATCHED_MODULES]

    def restore(self) -> None:
        """Hide azureml's and the removed names until the code imports ``scriptrun.dropin``."""
        sys.meta_path[:] = self._finders
        for module, names in zip(_PATCHED_MODULES, self._names, strict=True):
            for name in set(vars(module)) - names:
                delattr(module, name)
        for name in [name for name in sys.modules if name.partition(".")[0] == "azureml"]:
            del sys.modules[name]
        sys.modules.pop(_DROPIN, None)
        vars(scriptrun).pop("dropin", None)
