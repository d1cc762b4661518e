"""Images of a run (Python 3.6+; uses matplotlib objects without importing matplotlib)."""

import io
import json
import os

from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


def render_png(plot: object) -> "BinaryIO":
    """Render ``plot`` (a figure, axes, ``pyplot`` or an image of PIL) as an open PNG stream."""
    figure = plot if hasattr(plot, "savefig") else getattr(plot, "figure", None)
    save = getattr(figure, "savefig", None)
    if save is None and hasattr(plot, "getbands"):
        save = getattr(plot, "save", None)
    if save is None:
        raise UserErrorException(
            "log_image(plot=...) requires a matplotlib figure or pyplot, not {}".format(
                type(plot).__name__
            )
        )
    stream = io.BytesIO()
    save(stream, format="png")
    stream.seek(0)
    return stream


def free_name(folder: str, name: str) -> str:
    """``name``, with a number appended if the run already has an artifact of that name."""
    stem, suffix = os.path.splitext(name)
    number = 1
    while artifacts.path_of(folder, name) is not None:
        number += 1
        name = "{}_{}{}".format(stem, number, suffix)
    return name


def parse_json(name: str, text: str) -> object:
    """The JSON value of ``text``; raises UserErrorException if it is invalid."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserErrorException("The value of {!r} is not valid JSON: {}.".format(name, error))
