"""The data of a job by name, as its script asks for it (Python 3.6+)."""

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

#: how the variable is called that holds the place of an input or output
VARIABLE = "AZUREML_DATAREFERENCE_{}"


#: datasets that the script itself has put among its inputs, by run folder and name
_used: "dict[tuple[str, str], object]" = {}


class _Named(_ByName):
    """What the run in ``folder`` was given by name."""

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
        """The place in this process's job, or None in any other."""
        if os.environ.get("SCRIPTRUN_RUN_ID") != os.path.basename(self._folder):
            return None
        return os.environ.get(VARIABLE.format(name)) or os.environ.get(name)


class Inputs(_Named):
    """``run.input_datasets``: the path of files that were mounted or downloaded, else the dataset.

    Seen from outside the job it is always the dataset.
    """

    _section = "inputs"

    def __init__(self, folder: str, dataset_of: "Callable[[str], object]") -> None:
        super(Inputs, self).__init__(folder)
        self._dataset_of = dataset_of

    def __setitem__(self, name: str, dataset: object) -> None:
        """Write down that the run has used ``dataset``, which no argument named."""
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
    """``run.output_datasets``: the folder that each output is written to; None outside the job."""

    _section = "outputs"
