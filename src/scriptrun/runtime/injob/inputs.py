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
_script_inputs: "dict[tuple[str, str], object]" = {}


class _NamedData(_ByName):
    """Inputs or outputs of the run in ``folder``, by name."""

    _section = ""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def _descriptions(self) -> "dict[str, Json]":
        data = record.job(self._folder).get("data") or {}
        return {item["name"]: item for item in data.get(self._section) or ()}

    def __getitem__(self, name: str) -> object:
        descriptions = self._descriptions()
        if name not in descriptions:
            available = ", ".join(sorted(descriptions)) or "none"
            raise KeyError(
                "this job has no {} {!r}; available: {}".format(self._section[:-1], name, available)
            )
        return self._value(descriptions[name])

    def __iter__(self) -> "Iterator[str]":
        return iter(self._descriptions())

    def __len__(self) -> int:
        return len(self._descriptions())

    def __repr__(self) -> str:
        return "{}({})".format(type(self).__name__, ", ".join(self._descriptions()))

    def _value(self, description: "Json") -> object:
        return self._path(description["name"])

    def _path(self, name: str) -> "str | None":
        """The local path, if this process belongs to the run; else None."""
        if os.environ.get("SCRIPTRUN_RUN_ID") != os.path.basename(self._folder):
            return None
        return os.environ.get(VARIABLE.format(name)) or os.environ.get(name)


class Inputs(_NamedData):
    """``run.input_datasets``: the path of mounted or downloaded files, else the dataset.

    Outside the job it is always the dataset.
    """

    _section = "inputs"

    def __init__(self, folder: str, dataset_of: "Callable[[str], object]") -> None:
        super(Inputs, self).__init__(folder)
        self._dataset_of = dataset_of

    def __setitem__(self, name: str, dataset: object) -> None:
        """Record that the run uses ``dataset`` as the input ``name``."""
        _script_inputs[self._folder, name] = dataset
        identity = {
            attribute: getattr(dataset, attribute, None) for attribute in ("id", "name", "version")
        }
        record.write_event(self._folder, "input_dataset", input=str(name), dataset=identity)

    def __getitem__(self, name: str) -> object:
        dataset = _script_inputs.get((self._folder, name))
        return super(Inputs, self).__getitem__(name) if dataset is None else dataset

    def _value(self, description: "Json") -> object:
        path = None if description.get("mode") == "direct" else self._path(description["name"])
        return path or self._dataset_of(description["name"])


class Outputs(_NamedData):
    """``run.output_datasets``: the folder of each output; None outside the job."""

    _section = "outputs"
