"""Lazy imports: declared at the top of a module, loaded on first use.

For modules that a warm submission does not need, to keep start-up fast.
"""

from __future__ import annotations

import importlib


class later:
    """The module ``name``, loaded on first access to one of its attributes.

    Write ``if TYPE_CHECKING: from package import module`` with ``else: module =
    later("scriptrun.package.module")``, so that type checkers see the module itself.
    """

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, attribute: str) -> object:
        value = getattr(importlib.import_module(str(self._name)), attribute)
        self.__dict__[attribute] = value
        return value
