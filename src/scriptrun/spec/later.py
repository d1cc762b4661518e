"""Modules that are loaded when they are first used, named at the top of the module that uses them.

For what a warm submission never needs: start-up time is a feature.
"""

from __future__ import annotations

import importlib


class later:
    """The module ``name``, loaded at the first look at one of its attributes.

    Used as ``if TYPE_CHECKING: from package import module`` with ``else: module =
    later("scriptrun.package.module")``, so that type checkers see the module itself.
    """

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, attribute: str) -> object:
        value = getattr(importlib.import_module(str(self._name)), attribute)
        self.__dict__[attribute] = value
        return value
