"""A job's inputs and outputs by name, for its script (Python 3.6+)."""

import os
from collections.abc import Mapping

from scriptrun.runtime.injob import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriptrun.runtime.hints import Json

    _ByName = Mapping[str, object]
else:
    _ByName = Mapping

#: name of the variable with the path of an input or output
VARIABLE = "AZUREML_DATAREFERENCE_{}"


#: datasets that the script added to its inputs, by run folder and name
_used: "dict[tuple[str, str], object]" = {}


class _Named(_ByName):
    """Inputs or outputs of the run in ``folder``, by name."""

    _section = ""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def _described(self) -> "dict[str, Json]":
        data = record.job(self._folder).get("data") or {}
        return {each["name"]: each for each in data.get(self._section) or ()}

    def __getitem__(self, name: str) -> object:
        described = self._described()
        if name not in described:
            known = ", ".join(sorted(described)) or "none"
            raise KeyError(
                "this job has no {} {!r}; available: {}".format(self._section[:-1], name, known)
            )
        return self._value(described[name])

    def __iter__(self) -> "Iterator[str]":
        return iter(self._described())

    def __len__(self) -> int:
        return len(self._described())

    def __repr__(self) -> str:
        return "{}({})".format(type(self).__name__, ", ".join(self._described()))

    def _value(self, described: "Json") -> object:
        return self._path(described["name"])

    def _path(self, name: str) -> "str | None":
        """The path in this process's own job; None for any other run."""
        if os.environ.get("SCRIPTRUN_RUN_ID") != os.path.basename(self._folder):
            return None
        return os.environ.get(VARIABLE.format(name)) or os.environ.get(name)


class Inputs(_Named):
    """``run.input_datasets``: the path of mounted or downloaded files, else the dataset.

    Outside the job it is always the dataset.
    """

    _section = "inputs"

    def __init__(self, folder: str, dataset_of: "Callable[[str], object]") -> None:
        super(Inputs, self).__init__(folder)
        self._dataset_of = dataset_of

    def __setitem__(self, name: str, dataset: object) -> None:
        """Record that the run uses ``dataset`` as the input ``name``."""
        _used[self._folder, name] = dataset
        facts = {each: getattr(dataset, each, None) for each in ("id", "name", "version")}
        record.say(self._folder, "input_dataset", input=str(name), dataset=facts)

    def __getitem__(self, name: str) -> object:
        used = _used.get((self._folder, name))
        return super(Inputs, self).__getitem__(name) if used is None else used

    def _value(self, described: "Json") -> object:
        path = None if described.get("mode") == "direct" else self._path(described["name"])
        return path or self._dataset_of(described["name"])


class Outputs(_Named):
    """``run.output_datasets``: the folder of each output; None outside the job."""

    _section = "outputs"
