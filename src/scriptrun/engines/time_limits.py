"""Time limits as people write them: as for sbatch (``90``, ``1:30:00``, ``2-12``), or ``2h``."""

from __future__ import annotations

import re

from scriptrun.query import moments

HINT = "Use minutes, hours:minutes:seconds or days-hours, or units: 2h, 90m, 1h30m."


#: sbatch's notation, with minutes first where there are no days
_MINUTES = r"([0-9]{1,9})(?::([0-9]{1,9}))?"
_HOURS = r"([0-9]{1,9}):([0-9]{1,9}):([0-9]{1,9})"
_DAYS = r"([0-9]{1,9})-([0-9]{1,9})(?::([0-9]{1,9}))?(?::([0-9]{1,9}))?"
#: the form of a limit, and the minutes that each of its numbers stands for
_FORMS = {
    _MINUTES: (1.0, 1 / 60),
    _HOURS: (60.0, 1.0, 1 / 60),
    _DAYS: (1440.0, 60.0, 1.0, 1 / 60),
}
#: Slurm counts minutes in 32 bits
_MOST = 2.0**31


def minutes_of(text: str) -> float | None:
    """A time limit ("90", "1:30:00", "2-12", "2h", "90s") in minutes; None if invalid."""
    seconds = moments.parse_duration(text, with_unit=True)
    minutes = _slurm_minutes(text) if seconds is None else seconds / 60
    return minutes if minutes is not None and minutes <= _MOST else None


def _slurm_minutes(text: str) -> float | None:
    for form, weights in _FORMS.items():
        match = re.fullmatch(form, text)
        if match:
            numbers = zip(weights, match.groups(default="0"), strict=True)
            return sum(weight * int(number) for weight, number in numbers)
    return None


def slurm_text(text: str) -> str:
    """``text`` as Slurm writes it, whole seconds rounded up; Slurm's notation stays as it is."""
    seconds = moments.parse_duration(text, with_unit=True)
    if seconds is None:
        return text
    minutes, rest = divmod(int(-(-seconds // 1)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if rest else str(minutes)
