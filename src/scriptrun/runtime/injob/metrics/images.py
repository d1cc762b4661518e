"""Pictures of a run (Python 3.6+; matplotlib's objects are used, but never imported)."""

import io
import json
import os

from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


def drawn(plot: object) -> "BinaryIO":
    """``plot`` (a figure, axes, or ``pyplot``) as an open stream of PNG."""
    figure = plot if hasattr(plot, "savefig") else getattr(plot, "figure", None)
    if not hasattr(figure, "savefig"):
        raise UserErrorException(
            "log_image(plot=...) requires a matplotlib figure or pyplot, not {}".format(
                type(plot).__name__
            )
        )
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    stream.seek(0)
    return stream


def free_name(folder: str, name: str) -> str:
    """``name``, or with a number where the run has an artifact of that name already."""
    stem, ending = os.path.splitext(name)
    number = 1
    while artifacts.path_of(folder, name) is not None:
        number += 1
        name = "{}_{}{}".format(stem, number, ending)
    return name


def parsed(name: str, text: str) -> object:
    """The JSON value of ``text``; UserErrorException where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserErrorException("The value of {!r} is not valid JSON: {}.".format(name, error))
