"""Proxies for objects in the helper process: every access is a request to it.

Python 3.6+, standard library only. Values are sent as JSON: lists as they are, a tuple as
``{"$": "tuple", "of": [...]}``, a scriptrun object as ``{"$": "object", "n": 7, "kind": ...}``,
a method as ``{"$": "method"}``, bytes as ``{"$": "bytes", "text": ...}``, a time as
``{"$": "time", "seconds": ...}``, a data frame as ``{"$": "frame", "path": ...}``, a file that the
helper removes.
"""

import datetime
import os
import sys

from scriptrun.runtime.injob import tables
from scriptrun.runtime.injob.proxy_process import helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any

    import polars
    import pyarrow
    from pandas import DataFrame

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.injob.proxy_process import _Helper


def named(name: str) -> "Remote":
    """A proxy for the class that scriptrun calls ``name`` ("Dataset"), or SDK v1
    ("azureml.core.Dataset").
    """
    return Remote(None, {"$": "name", "name": name}, name)


def root(name: str) -> "Remote":
    """A proxy for the job's ``run``, ``experiment`` or ``workspace`` in the helper.

    Scripts that import azureml get the objects of the SDK v1, whoever submitted the job.
    """
    is_old_code = "azureml.core" in sys.modules
    return Remote(None, {"$": "root", "name": name, "old": is_old_code}, name)


class Remote(object):
    """A proxy for an object in the helper."""

    def __init__(self, process: "_Helper | None", ref: "Json", kind: str, text: str = "") -> None:
        put = object.__setattr__
        put(self, "_to", process)
        put(self, "_ref", ref)
        put(self, "_kind", kind)
        put(self, "_text", text)

    def _ask(self, action: str, **fields: object) -> "Any":
        process = self._to or helper("scriptrun.{}".format(self._kind))
        return _decode(process.ask(dict(fields, do=action, of=self._ref)), self, process)

    def _call(self, method: str, *args: object, **kwargs: object) -> "Any":
        kwargs = {name: _encode(value) for name, value in kwargs.items()}
        return self._ask("call", name=method, args=[_encode(a) for a in args], kwargs=kwargs)

    def __getattr__(self, name: str) -> "Any":
        if name.startswith("_"):
            raise AttributeError(name)
        return self._ask("get", name=name)

    def __setattr__(self, name: str, value: object) -> None:
        self._ask("set", name=name, value=_encode(value))

    def __getitem__(self, key: object) -> object:
        return self._ask("item", key=_encode(key))

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call it: for a class, create an object."""
        return self._call("", *args, **kwargs)

    def __contains__(self, key: object) -> bool:
        return bool(self._call("__contains__", key))

    def __iter__(self) -> "Iterator[object]":
        return iter(self._call("__iter__"))

    def __len__(self) -> int:
        return int(self._call("__len__"))

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> object:
        return self._call("__enter__")

    def __exit__(
        self,
        exit_type: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self._call("__exit__", None, None, None)

    def __repr__(self) -> str:
        return self._text or "scriptrun.{}".format(self._kind)

    def __del__(self) -> None:
        if self._to is not None:
            self._to.dropped.append(self._ref["n"])


class RemoteTable(Remote):
    """A tabular dataset in the helper; its rows are read from a file by the job's own libraries."""

    def to_pandas_dataframe(
        self, on_error: str = "null", out_of_range_datetime: str = "null"
    ) -> "DataFrame":
        """The rows as a pandas data frame."""
        return tables.to_pandas(self._file)

    def to_arrow(self) -> "pyarrow.Table":
        """The rows as a pyarrow table."""
        return tables.to_arrow(self._file)

    def to_polars(self) -> "polars.DataFrame":
        """The rows as a polars data frame."""
        return tables.to_polars(self._file)

    def _file(self, form: str) -> "Json":
        answer: "Json" = self._ask("table", format=form)
        return answer


class RemoteColumn(Remote):
    """A condition on columns in the helper: ``ds['age'] > 30``."""

    if not TYPE_CHECKING:
        __hash__ = None


def _operator(name: str) -> "Callable[..., object]":
    def ask(self: "Remote", *others: object) -> object:
        return self._call(name, *others)

    return ask


for _name in "eq ne lt le gt ge and or invert".split():
    setattr(RemoteColumn, "__{}__".format(_name), _operator("__{}__".format(_name)))

_KINDS = {"TabularDataset": RemoteTable, "Expression": RemoteColumn}


def _encode(value: object) -> object:
    """``value`` as JSON. Raises TypeError for what cannot be sent."""
    for kinds, encode in _ENCODERS:
        if isinstance(value, kinds):
            return encode(value)
    if hasattr(value, "__scriptrun__"):
        return {"$": "root", "name": value.__scriptrun__}
    if type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "columns"):
        return {"$": "frame", "path": tables.write_temporary(value)}
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return _encode(value.item())  # a number of numpy
    raise TypeError(
        "Cannot pass a {} to scriptrun from this job; only strings, numbers, lists, dicts and "
        "scriptrun's own objects are supported. Add scriptrun to the environment's packages to "
        "pass it.".format(type(value).__name__)
    )


def _encode_list(values: "Iterable[object]") -> "list[object]":
    return [_encode(item) for item in values]


#: how values are sent to the helper: the first type that matches
_ENCODERS: "tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...]" = (
    (Remote, lambda value: value._ref),
    ((type(None), bool, int, float, str), lambda value: value),
    (bytes, lambda value: {"$": "bytes", "text": value.decode("latin-1")}),
    (os.PathLike, os.fspath),
    (tuple, lambda value: {"$": "tuple", "of": _encode_list(value)}),
    ((list, set, frozenset), _encode_list),
    (dict, lambda value: {"$": "dict", "of": [_encode_list(pair) for pair in value.items()]}),
    (datetime.datetime, lambda value: {"$": "time", "seconds": value.timestamp()}),
)


def _decode(value: object, subject: "Remote", process: "_Helper") -> "Any":
    """The helper's answer to a request about ``subject`` as a value."""
    if isinstance(value, list):
        return [_decode(item, subject, process) for item in value]
    if not isinstance(value, dict):
        return value
    return _DECODERS[value["$"]](value, subject, process)


def _decode_object(value: "Json", subject: "Remote", process: "_Helper") -> "Remote":
    remote_class = _KINDS.get(value["kind"], Remote)
    return remote_class(process, {"$": "object", "n": value["n"]}, value["kind"], value["text"])


def _decode_time(value: "Json", subject: "Remote", process: "_Helper") -> "datetime.datetime":
    return datetime.datetime.fromtimestamp(value["seconds"], datetime.timezone.utc)


_DECODERS: "dict[str, Callable[[Json, Remote, _Helper], object]]" = {
    "object": _decode_object,
    "time": _decode_time,
    "method": lambda value, of, to: _Method(of, value["name"]),
    "tuple": lambda value, of, to: tuple(_decode(value["of"], of, to)),
    "dict": lambda value, of, to: dict(_decode(value["of"], of, to)),
}


class _Method(object):
    """A method of an object in the helper."""

    def __init__(self, owner: "Remote", name: str) -> None:
        self._owner, self._name = owner, name

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._owner._call(self._name, *args, **kwargs)
