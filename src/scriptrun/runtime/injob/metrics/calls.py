"""The ``log_*`` methods of every kind of run (Python 3.6+)."""

import os
import time

from scriptrun.runtime.injob import artifacts, values
from scriptrun.runtime.injob.errors import UserErrorException
from scriptrun.runtime.injob.metrics import images
from scriptrun.runtime.injob.metrics.writer import writer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriptrun.runtime.hints import StrPath


class MetricCalls(object):
    """Mixin for a run with a ``folder``."""

    folder: str

    def log(self, name: str, value: object, description: str = "", step: object = None) -> None:
        """Log one value under ``name``; repeated calls build a list, in order.

        Numbers (including numpy scalars and one-element tensors), strings, bools and None are
        stored as such, any other object as text. ``step`` is a number for charts. A full disk
        causes a warning on stderr, never an exception.
        """
        writer_of(self.folder).scalar(name, value, description, step)

    def log_list(self, name: str, value: object, description: str = "") -> None:
        """Log the items of an iterable; lists of the same name are concatenated."""
        self._write("list", name, values.sequence(value), description)

    def log_row(self, name: str, description: "str | None" = None, **kwargs: object) -> None:
        """Log one row of the table ``name``, with a column for each keyword."""
        row = {column: values.nested(cell) for column, cell in kwargs.items()}
        self._write("row", name, row, description)

    def log_table(self, name: str, value: object, description: str = "") -> None:
        """Log a table: a dict (or data frame) from column to a list of its cells.

        A second column ``a`` is called ``a.1``.
        Raises UserErrorException if the columns differ in length.
        """
        self._write("table", name, table_of(name, value), description)

    def log_image(
        self, name: str, path: "StrPath | None" = None, plot: object = None, description: str = ""
    ) -> None:
        """Log an image: the file at ``path``, or ``plot``, a matplotlib figure or ``pyplot``.

        Raises UserErrorException unless exactly one of them is given, or if the file is missing.
        """
        check_image(name, path, plot)
        suffix = ".png" if path is None or hasattr(path, "read") else os.path.splitext(path)[1]
        artifact = "{}_{}{}".format(_as_file_name(name), int(time.time()), suffix or ".png")
        artifact = images.free_name(self.folder, artifact)
        artifacts.store(self.folder, artifact, images.render_png(plot) if path is None else path)
        self._write("image", name, artifact, description)

    def log_confusion_matrix(self, name: str, value: object, description: str = "") -> None:
        """Log a confusion matrix: a dict (or its JSON text) with schema_type and data."""
        self._write("confusion_matrix", name, schema_value(name, value), description)

    def log_accuracy_table(self, name: str, value: object, description: str = "") -> None:
        """Log an accuracy table: a dict (or its JSON text) with schema_type and data."""
        self._write("accuracy_table", name, schema_value(name, value), description)

    def log_predictions(self, name: str, value: object, description: str = "") -> None:
        """Log predictions: a dict (or its JSON text) with schema_type and data."""
        self._write("predictions", name, schema_value(name, value), description)

    def log_residuals(self, name: str, value: object, description: str = "") -> None:
        """Log residuals: a dict (or its JSON text) with schema_type and data."""
        self._write("residuals", name, schema_value(name, value), description)

    def _write(self, kind: str, name: str, value: object, description: "str | None") -> None:
        writer_of(self.folder).write(kind, name, value, description or "")


def table_of(name: str, value: object) -> "dict[str, list[object]]":
    """``value`` as a dict from column to list; raises UserErrorException if it is not a table."""
    if not hasattr(value, "items"):
        raise UserErrorException(
            "log_table({!r}) requires a dict of column names to lists of cells, not {}".format(
                name, type(value).__name__
            )
        )
    columns = [(values.text(column), values.sequence(cells)) for column, cells in value.items()]
    names = distinct_names([column for column, _ in columns])
    table = {names[number]: cells for number, (_, cells) in enumerate(columns)}
    if len({len(cells) for cells in table.values()}) > 1:
        lengths = ", ".join("{}: {}".format(*item) for item in _lengths(table))
        raise UserErrorException(
            "Columns of table {!r} differ in length ({}).".format(name, lengths),
            "All columns must have the same number of cells.",
        )
    return table


def distinct_names(names: "list[str]") -> "list[str]":
    """``names``, each repeated one with a number as pandas gives it: ``a``, ``a.1``, ``a.2``."""
    found: "list[str]" = []
    taken = set(names)
    for name in names:
        new_name, number = name, 0
        while new_name in found or (number and new_name in taken):
            number += 1
            new_name = "{}.{}".format(name, number)
        found.append(new_name)
    return found


def _lengths(table: "Mapping[str, list[object]]") -> "list[tuple[str, int]]":
    return [(column, len(cells)) for column, cells in table.items()]


def schema_value(name: str, value: object) -> object:
    """A dict as it is stored; JSON text is parsed first, as SDK v1 allows."""
    if isinstance(value, str):
        value = images.parse_json(name, value)
    return values.nested(value)


def check_image(name: str, path: object, plot: object) -> None:
    """Raise UserErrorException unless one of ``path`` and ``plot`` is given, a path as such."""
    if (path is None) == (plot is None):
        raise UserErrorException(
            "log_image({!r}) requires either path= or plot=, but got {}".format(
                name, "neither" if path is None else "both"
            )
        )
    if path is not None and not (isinstance(path, (str, os.PathLike)) or hasattr(path, "read")):
        raise UserErrorException(
            "log_image({!r}) requires the path of a file, not {}".format(name, type(path).__name__),
            "Give a figure, or an image of PIL, as plot=.",
        )


def _as_file_name(name: str) -> str:
    """``name`` as a file name that is valid on every system."""
    text = "".join(
        "_" if letter in '/\\:*?"<>|\0' or letter < " " else letter for letter in values.text(name)
    ).strip(". ")
    while len(text.encode("utf-8", "surrogatepass")) > 150:
        text = text[:-1]
    return text.encode("utf-8", "replace").decode("utf-8") or "image"
