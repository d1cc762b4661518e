"""Times and durations in queries: ``-2d``, ``2024-05-01T10:00``, ``yesterday``, ``1h30m``."""

from __future__ import annotations

import calendar
import datetime
import math
import re
import time

from scriptrun.spec.values import Value

UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_PART = rf"({_NUMBER})\s*([a-z]+)"
TIME_HINT = "Write a time as -2d, -3h, today, yesterday, 2024-05-01 or 2024-05-01T10:00."
DURATION_HINT = "Write a duration in seconds, or as 90s, 10m, 2h or 1h30m."


class Moment(Value):
    """A time, in seconds since 1970: from ``start`` up to ``end``, which differ for a whole day.

    A run is after it from ``end`` on, before it up to ``start``, and at it in between.
    """

    start: float
    end: float


def parse_time(text: str, now: float) -> Moment | None:
    """The time that ``text`` means, in local time unless it says otherwise; None for no time."""
    word = text.strip().lower()
    if word == "now":
        return Moment(now, now)
    if word in ("today", "yesterday"):
        return _day(datetime.date.fromtimestamp(now), 0 if word == "today" else 1)
    sign, rest = word[:1], word[1:]
    if sign in ("-", "+") and (seconds := parse_duration(rest, with_unit=True)) is not None:
        moment = now - seconds if sign == "-" else now + seconds
        return Moment(moment, moment)
    return _absolute(text.strip())


def parse_duration(text: str, with_unit: bool = False) -> float | None:
    """The seconds that ``text`` means; None for no duration. ``with_unit`` requires a unit."""
    word = text.strip().lower()
    parts = re.findall(_PART, word)
    if re.fullmatch(rf"(?:{_PART}\s*)+", word) and all(unit in UNITS for _, unit in parts):
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    elif not with_unit and re.fullmatch(_NUMBER, word):
        seconds = float(word)
    else:
        return None
    return seconds if math.isfinite(seconds) else None


def epoch_seconds(iso: str) -> float:
    """An ISO 8601 time in UTC in seconds since 1970; 0 if it is none."""
    try:
        whole = calendar.timegm(time.strptime(iso[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0.0
    fraction = re.match(r"\.\d+", iso[19:])
    return whole + float(fraction[0] if fraction else 0)


def _absolute(text: str) -> Moment | None:
    """ISO 8601: a month, a day, or a day with a time, which lasts as long as it is exact."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return _month(int(text[:4]), int(text[5:]))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return _day(datetime.date.fromisoformat(text), 0)
        if not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]\d", text):
            return None
        start = datetime.datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    clock = re.split(r"[Zz+-]", text[11:])[0]
    exact = 0.0 if "." in clock else (3600.0, 60.0, 1.0)[min(clock.count(":"), 2)]
    return Moment(start, start + exact)


def _day(day: datetime.date, ago: int) -> Moment:
    first = day - datetime.timedelta(days=ago)
    return Moment(_midnight(first), _midnight(first + datetime.timedelta(days=1)))


def _month(year: int, month: int) -> Moment:
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return Moment(_midnight(datetime.date(year, month, 1)), _midnight(datetime.date(*following, 1)))


def _midnight(day: datetime.date) -> float:
    return datetime.datetime(day.year, day.month, day.day).timestamp()
