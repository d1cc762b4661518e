"""The input of a model, in the forms that callers send.

``{"data": ...}``, ``{"inputs": ...}``, ``{"instances": ...}`` and ``{"input_data": ...}`` hold
rows, records (objects by column) or tensors by name; MLflow's ``dataframe_split`` and
``dataframe_records`` hold tables; a list alone is the same as ``data``. ``method`` names another
method than ``predict``.
"""

from scriptrun.runtime.serving.errors import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

    import numpy

    from scriptrun.runtime.serving.models.library_types import Table

#: the keys of the values, each with what sends it
_KEYS = ("data", "inputs", "instances", "input_data", "dataframe_split", "dataframe_records")
_FORMS = (
    'Send {"data": [[...], ...]} with a list of values per row, or a list of objects by column.'
)


class ModelInput:
    """The values of one request.

    ``rows`` is a nested list; ``columns`` names the values of each row, if the caller did;
    ``tensors`` are nested lists by name, where the input is not a table (``rows`` is then empty).
    """

    def __init__(
        self,
        rows: "List[object]",
        columns: "Optional[List[str]]" = None,
        tensors: "Optional[Dict[str, object]]" = None,
        method: str = "predict",
    ) -> None:
        self.rows, self.columns, self.tensors, self.method = rows, columns, tensors, method

    def array(self, dtype: "Optional[type | str]" = None) -> "numpy.ndarray":
        """The rows as a NumPy array. Raises BadRequest if they do not have the same shape."""
        import numpy

        self._refuse_tensors()
        try:
            found = numpy.array(self.rows, dtype=dtype)
        except (ValueError, TypeError) as problem:
            raise BadRequest("The rows are not an array of numbers: {}.".format(problem)) from None
        if found.dtype.kind == "U" and not _all_are(str, self.rows):
            found = numpy.array(self.rows, dtype=object)  # numbers beside text stay numbers
        if found.dtype == object:
            found = _as_objects(found, self.rows)
        return found

    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return _all_are((int, float), [self.rows, list((self.tensors or {}).values())])

    def table(self, names: "Optional[List[str]]" = None) -> "Table":
        """The rows as a pandas DataFrame with the columns ``names`` (default: the caller's own).

        Raises BadRequest if columns are missing, or if the number of values per row is wrong.
        """
        import pandas

        self._refuse_tensors()
        columns = self.columns
        if columns is None:
            columns = names
            self.check_width(len(names or ()))
        frame = pandas.DataFrame(self.rows, columns=columns).infer_objects()
        empty = [name for name in frame.columns if frame[name].isna().all()]
        found: "Table" = frame.astype(dict.fromkeys(empty, float))  # null alone is a missing number
        return found if names is None else found[self._known(names)]

    def _known(self, names: "List[str]") -> "List[str]":
        """``names``, if the caller's columns have them all."""
        missing = [name for name in names if name not in (self.columns or names)]
        if missing:
            text = "The input lacks the columns {}; the model needs {}."
            raise BadRequest(text.format(", ".join(missing), ", ".join(names)))
        return names

    def column(self, number: int) -> "List[List[object]]":
        """The values of one column, each as a row."""
        return [[row[number]] for row in self.rows if isinstance(row, list)]

    def refuse_methods(self) -> None:
        """Raise BadRequest if the caller names a method: the model has only one."""
        if self.method != "predict":
            raise BadRequest("The model has no methods: leave out {!r}.".format("method"))

    def check_width(self, width: int) -> None:
        """Raise BadRequest unless each row has ``width`` values."""
        for number, row in enumerate(self.rows):
            count = len(row) if isinstance(row, list) else 1
            if width and count != width:
                text = "Row {} has {} values, and the model needs {}."
                raise BadRequest(text.format(number, count, width))

    def _refuse_tensors(self) -> None:
        if self.tensors is not None:
            raise BadRequest("The model needs rows. " + _FORMS)


def _all_are(kind: "type | Tuple[type, ...]", values: object) -> bool:
    """Whether ``values``, lists in any depth, hold only values of ``kind``."""
    if isinstance(values, list):
        return all(_all_are(kind, each) for each in values)
    return isinstance(values, kind)


def _as_objects(found: "numpy.ndarray", rows: "List[object]") -> "numpy.ndarray":
    """An array of rows of the same length with values of several types; else BadRequest."""
    lists = [row for row in rows if isinstance(row, list)]
    if rows and len(lists) == len(rows):
        if len({len(row) for row in lists}) == 1 and found.ndim > 1:
            return found
        raise BadRequest("The rows have different numbers of values.")
    return found


def parse(given: object) -> ModelInput:
    """The input in a request's JSON value. Raises BadRequest, with the forms, for anything else."""
    if isinstance(given, list):
        return _of_values(given, "predict")
    if not isinstance(given, dict):
        raise BadRequest("The request is neither an object nor a list. " + _FORMS)
    keys = [key for key in _KEYS if key in given]
    if len(keys) != 1:
        found = "it has {}".format(", ".join(sorted(map(str, given)))[:200] or "nothing")
        raise BadRequest("The request needs one of {}; {}. {}".format(
            ", ".join(_KEYS), found, _FORMS))  # fmt: skip
    method = given.get("method", "predict")
    if not isinstance(method, str):
        raise BadRequest("method is not the name of a method of the model.")
    values = given[keys[0]]
    if keys[0] == "dataframe_split" and not _is_table(values):
        raise BadRequest('dataframe_split needs {"columns": [...], "data": [[...], ...]}.')
    if keys[0] == "dataframe_records" and not isinstance(values, list):
        raise BadRequest("dataframe_records needs a list of objects by column.")
    return _of_values(values, method)


def _is_table(values: object) -> bool:
    return isinstance(values, dict) and "columns" in values and "data" in values


def _of_values(values: object, method: str) -> ModelInput:
    if isinstance(values, list):
        return _of_list(values, method)
    if isinstance(values, dict) and _is_table(values):
        return _of_table(values["columns"], values["data"], method)
    if isinstance(values, dict) and values:
        return ModelInput([], None, dict(values), method)
    raise BadRequest("The request holds no values. " + _FORMS)


def _of_list(values: "List[object]", method: str) -> ModelInput:
    if not values:
        raise BadRequest("The request holds no rows. " + _FORMS)
    records = [row for row in values if isinstance(row, dict)]
    if not records:
        return ModelInput(values, None, None, method)
    if len(records) != len(values):
        raise BadRequest("Some rows are objects and some are not. " + _FORMS)
    columns = list(records[0])
    for number, record in enumerate(records):
        if set(record) != set(columns):
            text = "Row {} has the columns {}, and row 0 has {}."
            raise BadRequest(
                text.format(number, ", ".join(map(str, record)), ", ".join(map(str, columns)))
            )
    rows: "List[object]" = [[record[name] for name in columns] for record in records]
    return ModelInput(rows, columns, None, method)


def _of_table(columns: object, data: object, method: str) -> ModelInput:
    if not isinstance(columns, list) or not isinstance(data, list):
        raise BadRequest("columns and data are not lists. " + _FORMS)
    names = [str(name) for name in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadRequest("The columns {} are there more than once.".format(", ".join(twice)))
    found = ModelInput(data, names, None, method)
    found.check_width(len(names))
    return found
