"""The process as ``python FILE`` has it: without azureml's names, and without removed names.

The recorder needs modules of ``scriptrun.dropin``, whose import brings both.
"""

from __future__ import annotations

import collections
import inspect
import re
import sys
import time

import scriptrun
from scriptrun.migration.code.documents import Document
from scriptrun.migration.estimators.call import CannotRewrite

_PATCHED_MODULES = (collections, inspect, time)
_DROPIN = "scriptrun.dropin"
_AZUREML_IMPORT = re.compile(rb"\b(from|import)[ \t]+azureml\b")


def suits(path: str, content: bytes) -> bool:
    """Whether Python alone runs a file of this content: azureml's names come from the drop-in.

    Files that a notebook's cells write are no code of the notebook.
    """
    try:
        content = Document(path, content).program_text().encode()
    except CannotRewrite:
        pass
    return _DROPIN.encode() in content or not _AZUREML_IMPORT.search(content)


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
