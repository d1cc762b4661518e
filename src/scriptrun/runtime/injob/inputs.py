"""The data of a job by name, as its script asks for it (Python 3.6+)."""

import os
from collections.abc import Mapping

from scriptrun.runtime.injob import record

#: how the variable is called that holds the place of an input or output
VARIABLE = "AZUREML_DATAREFERENCE_{}"


#: datasets that the script itself has put among its inputs, by run folder and name
_used = {}


class _Named(Mapping):
    """What the run in ``folder`` was given by name."""

    _section = ""

    def __init__(self, folder, dataset_of):
        self._folder = folder
        self._dataset_of = dataset_of

    def _described(self):
        data = record.job(self._folder).get("data") or {}
        return {each["name"]: each for each in data.get(self._section) or ()}

    def __getitem__(self, name):
        described = self._described()
        if name not in described:
            known = ", ".join(sorted(described)) or "none"
            raise KeyError(
                "there is no {} {!r} of this job; it has: {}".format(
                    self._section[:-1], name, known
                )
            )
        return self._value(described[name])

    def __iter__(self):
        return iter(self._described())

    def __len__(self):
        return len(self._described())

    def __repr__(self):
        return "{}({})".format(type(self).__name__, ", ".join(self._described()))

    def _value(self, described):
        return self._path(described["name"])

    def _path(self, name):
        """The place in this process's job, or None in any other."""
        if os.environ.get("SCRIPTRUN_RUN_ID") != os.path.basename(self._folder):
            return None
        return os.environ.get(VARIABLE.format(name)) or os.environ.get(name)


class Inputs(_Named):
    """``run.input_datasets``: the path of files that were mounted or downloaded, else the dataset.

    Seen from outside the job it is always the dataset.
    """

    _section = "inputs"

    def __setitem__(self, name, dataset):
        """Write down that the run has used ``dataset``, which no argument named."""
        _used[self._folder, name] = dataset
        facts = {each: getattr(dataset, each, None) for each in ("id", "name", "version")}
        record.say(self._folder, "input_dataset", input=str(name), dataset=facts)

    def __getitem__(self, name):
        used = _used.get((self._folder, name))
        return super(Inputs, self).__getitem__(name) if used is None else used

    def _value(self, described):
        path = None if described.get("mode") == "direct" else self._path(described["name"])
        return path or self._dataset_of(described["name"])


class Outputs(_Named):
    """``run.output_datasets``: the folder that each output is written to; None outside the job."""

    _section = "outputs"
