"""Time limits as people write them: as for sbatch (``90``, ``1:30:00``, ``2-12``), or ``2h``."""

from __future__ import annotations

from scriptrun.query import moments

HINT = "Use minutes, hours:minutes:seconds or days-hours, or units: 2h, 90m, 1h30m."


def minutes_of(text: str) -> float | None:
    """A time limit ("90", "1:30:00", "2-12", "2h", "90s") in minutes; None if invalid."""
    seconds = moments.parse_duration(text, with_unit=True)
    if seconds is not None:
        return seconds / 60
    days, dash, rest = text.partition("-")
    try:
        parts = [int(part) for part in (rest if dash else text).split(":")]
        if dash:
            hours = zip((60.0, 1.0, 1 / 60), parts, strict=False)
            return int(days) * 1440 + sum(w * n for w, n in hours)
    except ValueError:
        return None
    weights: tuple[float, ...] = {1: (1.0,), 2: (1.0, 1 / 60), 3: (60.0, 1.0, 1 / 60)}.get(
        len(parts), ()
    )
    return sum(w * n for w, n in zip(weights, parts, strict=True)) if weights else None


def slurm_text(text: str) -> str:
    """``text`` as Slurm writes it, whole seconds rounded up; Slurm's notation stays as it is."""
    seconds = moments.parse_duration(text, with_unit=True)
    if seconds is None:
        return text
    minutes, rest = divmod(int(-(-seconds // 1)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if rest else str(minutes)
