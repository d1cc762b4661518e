"""Serves scriptrun's objects to a job's script whose environment lacks scriptrun.

``python -m scriptrun.helpers.job_objects`` reads questions, one line of JSON each, from standard
input and writes the answers to standard output; it ends with its input. ``runtime.injob.proxy`` is
the client, and describes how values are encoded. Only public members of scriptrun's own objects
are served, starting from the job's run, experiment and workspace.
"""

from __future__ import annotations

import datetime
import importlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import scriptrun
from scriptrun.core.run import Run
from scriptrun.data.tables import parquet_file
from scriptrun.spec.environment import AUTO
from scriptrun.spec.errors import ScriptrunError, UserErrorException, WebserviceException
from scriptrun.store import dependents
from scriptrun.tracking import masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from scriptrun.data.datasets.tabular import TabularDataset

    class Items(Protocol):
        """An object with items: a list, a mapping or a dataset."""

        def __getitem__(self, key: object, /) -> object: ...

    from scriptrun.runtime.hints import Json

#: special methods that may be called besides public members
_OPERATORS = {
    *["", "__enter__", "__exit__"],
    *["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__and__", "__or__"],
    *["__invert__", "__contains__", "__iter__", "__len__"],
}
_FORWARDED_ERRORS = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
)
#: the maximum number of items of an iterator, to bound memory
_MAX_ITEMS = 100_000


class ObjectServer:
    """Answers questions about the objects that it has returned, which it numbers."""

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}
        self._numbers = itertools.count(1)

    def answer(self, question: Json) -> Json:
        """The answer to one question: ``value``, or ``error`` with a sentence."""
        try:
            return {"value": self._answer(question)}
        except ScriptrunError as error:
            answer = _error(type(error).__name__, error.message, error.hint, _bases(error))
            if isinstance(error, WebserviceException):
                answer["error"].update(status_code=error.status_code, logs=error.logs)
            return answer
        except ImportError as error:
            return _error(
                "UserErrorException",
                f"A package is missing in scriptrun's own environment: {error}.",
            )
        except OSError as error:
            location = f"{error.filename}: " if error.filename else ""
            return _error("UserErrorException", f"{location}{error.strerror or error}.")
        except _FORWARDED_ERRORS as error:
            kind = next(
                error_type.__name__
                for error_type in _FORWARDED_ERRORS
                if isinstance(error, error_type)
            )
            return _error(kind, str(error.args[0]) if error.args else "")

    def _answer(self, question: Json) -> object:
        for number in question.get("drop") or ():
            self._objects.pop(number, None)
        if question.get("cwd"):
            os.chdir(question["cwd"])
        target = self._object(question["of"])
        return getattr(self, f"_do_{question['do']}")(target, question)

    def _do_get(self, target: object, question: Json) -> object:
        name = question["name"]
        value = getattr(target, _public(name))
        if callable(value) and not isinstance(value, type) and not _is_scriptrun_object(value):
            return {"$": "method", "name": name}
        return self._encode(value)

    def _do_set(self, target: object, question: Json) -> None:
        setattr(target, _public(question["name"]), self._decode(question["value"]))

    def _do_item(self, target: Items, question: Json) -> object:
        return self._encode(target[self._decode(question["key"])])

    def _do_call(self, target: Callable[..., object], question: Json) -> object:
        name = question["name"]
        function = (
            getattr(target, name if name in _OPERATORS else _public(name)) if name else target
        )
        args = [self._decode(argument) for argument in question["args"]]
        kwargs = {key: self._decode(value) for key, value in question["kwargs"].items()}
        return self._encode(function(*args, **kwargs))

    def _do_table(self, target: TabularDataset, question: Json) -> object:
        fields = parquet_file.write(target.to_arrow(), question["format"])
        return {"$": "dict", "of": [[key, value] for key, value in fields.items()]}

    def _object(self, ref: Json) -> object:
        if ref["$"] == "object":
            return self._objects[ref["n"]]
        if ref["$"] == "root":
            return _job_object(ref["name"], bool(ref.get("old")))
        return _find_object(ref["name"])

    def _decode(self, value: object) -> object:
        if isinstance(value, list):
            return [self._decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        return self._DECODERS.get(value["$"], ObjectServer._object)(self, value)

    #: decoders of values that are not JSON, by their tag
    _DECODERS: ClassVar[dict[str, Callable[[ObjectServer, Json], object]]] = {
        "tuple": lambda self, value: tuple(map(self._decode, value["of"])),
        "dict": lambda self, value: {
            self._decode(key): self._decode(item) for key, item in value["of"]
        },
        "time": lambda self, value: datetime.datetime.fromtimestamp(value["seconds"], datetime.UTC),
        "bytes": lambda self, value: value["text"].encode("latin-1"),
        "frame": lambda self, value: parquet_file.Frame(value["path"]),
    }

    def _encode(self, value: object) -> object:
        for kinds, encode in self._ENCODERS:
            if isinstance(value, kinds):
                return encode(self, value)
        if _is_scriptrun_object(value):
            return self._register(value)
        raise UserErrorException(
            f"Cannot pass a {type(value).__name__} to this job.",
            "Add scriptrun to the environment's packages.",
        )

    def _list(self, value: Iterable[object]) -> object:
        return [self._encode(item) for item in itertools.islice(value, _MAX_ITEMS)]

    def _mapping(self, value: Mapping[object, object]) -> object:
        if _is_scriptrun_object(value):
            return self._register(value)
        pairs = [[self._encode(key), self._encode(item)] for key, item in value.items()]
        return {"$": "dict", "of": pairs}

    #: encoders of Python's own types; the first match is used
    _ENCODERS: tuple[tuple[type | tuple[type, ...], Callable[[ObjectServer, Any], object]], ...] = (
        ((type(None), bool, int, float, str), lambda self, value: value),
        (os.PathLike, lambda self, value: str(os.fspath(value))),
        (tuple, lambda self, value: {"$": "tuple", "of": self._list(value)}),
        (datetime.datetime, lambda self, value: {"$": "time", "seconds": value.timestamp()}),
        (Mapping, _mapping),
        ((list, set, frozenset, Iterator), _list),
    )

    def _register(self, value: object) -> Json:
        number = next(self._numbers)
        self._objects[number] = value
        kind = value.__name__ if isinstance(value, type) else type(value).__name__
        return {"$": "object", "n": number, "kind": kind, "text": repr(value)}


def _public(name: str) -> str:
    """``name``. Raises AttributeError if it is private."""
    if name.startswith("_"):
        raise AttributeError(f"{name!r} is private.")
    return name


def _is_scriptrun_object(value: object) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__.partition(".")[0] == "scriptrun"


def _find_object(name: str) -> Any:
    """The object ``name`` of scriptrun or of the SDK v1 (``azureml.core.Model``)."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return getattr(scriptrun, _public(attribute))
    importlib.import_module("scriptrun.dropin")  # makes azureml importable
    return getattr(importlib.import_module(module), _public(attribute))


def _job_object(name: str, is_old_code: bool = False) -> object:
    """The job's run, experiment or workspace; for SDK v1 jobs and scripts, the SDK v1's objects."""
    run = Run.get_context(allow_offline=False)
    if name == "run":
        return run
    if not is_old_code and run.job.environment.pins != AUTO:
        return run.experiment if name == "experiment" else run.workspace
    workspace = _find_object("azureml.core.Workspace")(run.workspace.root)
    if name == "workspace":
        return workspace
    return _find_object("azureml.core.Experiment")(workspace, run.job.experiment)


def _error(kind: str, message: str, hint: str = "", bases: tuple[str, ...] = ()) -> Json:
    return {"error": {"kind": kind, "message": message, "hint": hint, "bases": bases}}


def _bases(error: ScriptrunError) -> tuple[str, ...]:
    """The names of the error's base classes, the nearest first, below ScriptrunError."""
    classes = type(error).__mro__[1:]
    return tuple(
        each.__name__
        for each in classes
        if issubclass(each, ScriptrunError) and each is not ScriptrunError
    )


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every line of ``questions`` until it ends."""
    server = ObjectServer()
    for line in questions:
        question = json.loads(line)
        if question["do"] == "end":
            return
        text = json.dumps(server.answer(question), ensure_ascii=True)
        answers.write(text.encode("ascii") + b"\n")
        answers.flush()


def main() -> None:
    """Serve the process at the other end of standard input and output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed goes to the job's log
    for number in (signal.SIGINT, signal.SIGTERM):  # it ends with the script, which may be saving
        signal.signal(number, lambda *_: None)
    try:
        Path("/proc/self/comm").write_text("scriptrun-data")
    except OSError:
        pass
    dependents.end_with(first=masking.finish)  # the script may have been killed
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
