"""Stand-ins for modules that are not installed, so that a proof can run the file anyway.

Plots, models and tables then do nothing. A job that depends on a stand-in contains ``MARK``.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import types
from collections.abc import Callable, Sequence
from unittest import mock

#: part of the text of every stand-in object
MARK = "<MagicMock"


def stand_in(folder: str, say: Callable[[str], None]) -> None:
    """Replace missing modules that code below ``folder`` imports with stand-ins."""
    sys.meta_path.append(_StandInFinder(folder, say))


class _StandInFinder:
    def __init__(self, folder: str, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        top = fullname.partition(".")[0]
        ours = top in ("azureml", "scriptrun") or top in sys.stdlib_module_names
        frame = self._importing_frame()
        if ours or frame is None or _is_optional(frame.f_code.co_filename, frame.f_lineno):
            return None
        package = fullname.rpartition(".")[0]
        if not isinstance(sys.modules.get(package), _StandInModule):  # else already reported
            self.say(f"the module {fullname}, which is not installed")
        return importlib.util.spec_from_loader(fullname, _StandInLoader(), is_package=True)

    def _importing_frame(self) -> types.FrameType | None:
        """The frame of the proved code that imports it; None for a package's optional import."""
        frame = sys._getframe(2)
        while frame.f_back is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame if frame.f_code.co_filename.startswith(self.folder) else None


def _is_optional(path: str, line: int) -> bool:
    """Whether the code continues without what this line imports: ``except ImportError``."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return False  # a notebook's cell
    return any(
        isinstance(node, ast.Try)
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or line)
        and any(_goes_on(handler) for handler in node.handlers)
        for node in ast.walk(tree)
    )


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it catches a missing module, and neither ends the program nor installs it."""
    names = ast.unparse(handler.type) if handler.type is not None else "Exception"
    body = "\n".join(map(ast.unparse, handler.body))
    return (
        re.search(r"\b(ImportError|ModuleNotFoundError|Exception)\b", names) is not None
        and re.search(r"\braise\b|\bexit\(|\bpip\b", body) is None
    )


class _StandInLoader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__all__"] = []


class _StandInModule(types.ModuleType):
    def __getattr__(self, name: str) -> object:
        return _stand_in_for(f"{self.__name__}.{name}")


class _StandInType(type):
    """The metaclass of stand-in classes, which code may subclass."""

    def __getattr__(cls, name: str) -> object:
        return _stand_in_for(f"{cls.__name__}.{name}")

    def __call__(cls, *args: object, **kwargs: object) -> object:
        if "stands_in" in cls.__dict__:
            return mock.MagicMock(name=f"{cls.__name__}()")
        return super().__call__(*args, **kwargs)


class _StandInObject(metaclass=_StandInType):
    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        return _stand_in_for(f"{type(self).__name__}.{name}")


def _stand_in_for(name: str) -> object:
    """The stand-in for ``name``: a class if it is capitalized, else an object."""
    last = name.rpartition(".")[2]
    if last.startswith("__"):
        raise AttributeError(name)
    if last[:1].isupper():
        return _StandInType(last, (_StandInObject,), {"stands_in": True})
    return mock.MagicMock(name=name)
