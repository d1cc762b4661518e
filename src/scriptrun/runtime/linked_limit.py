"""How much of what links lead to is copied when a run ends (Python 3.6+)."""

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


#: variable with the most bytes from outside the working directory ("50GB", "200 GiB")
VARIABLE = "SCRIPTRUN_LINKED_SIZE"
_MAX_DEFAULT = 100 * 10**9
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


class LinkedLimit(object):
    """The bytes that may still be copied to the disk of ``folder``.

    By default half of what that disk has free, at most 100 GB. ``problem`` says what is wrong with
    the variable in ``environ``, if anything.
    """

    def __init__(self, folder: str, environ: "Mapping[str, str]") -> None:
        text = str(environ.get(VARIABLE) or "")
        value = _parse(text) if text else None
        self.problem = ""
        if text and value is None:
            self.problem = "{}={!r} is not a size, e.g. 50GB or 200GiB".format(VARIABLE, text)
        self.room = _default(folder) if value is None else value

    def take(self, size: int) -> bool:
        """Whether ``size`` more bytes may be copied; they then count."""
        if size > self.room:
            return False
        self.room -= size
        return True

    def reason(self) -> str:
        """Why content was not copied, and which setting says so."""
        units = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
        unit, size = next((each for each in units if self.room >= each[1]), units[-1])
        return "larger than the {:.1f} {} left of {}".format(self.room / size, unit, VARIABLE)


def _parse(text: str) -> "int | None":
    match = re.match(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*$", text, re.IGNORECASE | re.ASCII)
    if match is None:
        return None
    base = 1024 if match.group(3) else 1000
    return int(float(match.group(1)) * base ** _POWERS[match.group(2).lower()])


def _default(folder: str) -> int:
    try:
        status = os.statvfs(folder)
    except (AttributeError, OSError):
        return _MAX_DEFAULT
    return min(status.f_bavail * status.f_frsize // 2, _MAX_DEFAULT)
