"""Plot a sweep as one HTML file: best value over time, parallel coordinates, and importance.

The page is self-contained, with inline SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from scriptrun.config.sweeps import search_space
from scriptrun.sweeps import ranking
from scriptrun.sweeps.journal import Child

if TYPE_CHECKING:
    from scriptrun.sweeps.hyperdrive_run import HyperDriveRun

_WIDE, _HIGH, _EDGE = 900, 320, 60
_BINS = 4
#: the maximum number of categories that get labels along an axis
_NAMED = 12
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 2em auto; max-width: 960px; color: #222 }}
svg {{ background: #fafafa; width: 100% }}
text {{ font-size: 11px; fill: #444; paint-order: stroke; stroke: #fafafa; stroke-width: 3px }}
.line {{ fill: none; stroke-width: 1.5; opacity: .7 }}
.line:hover {{ stroke-width: 4; opacity: 1 }}
.axis {{ stroke: #999 }} .bar {{ fill: #3b78c3 }}
table {{ border-collapse: collapse }} td, th {{ padding: 2px 10px; text-align: left }}
td:first-child {{ white-space: nowrap }}
tr:nth-child(even) {{ background: #f3f3f3 }}
</style></head><body>
<h1>{title}</h1><p>{summary}</p>
<h2>Best so far</h2>{curve}
<h2>Parallel coordinates</h2>
<p>Each line is a run, from the best (red) to the worst (blue).</p>{parallel}
<h2>Importance</h2>
<p>Share of the variance of {metric} that each parameter alone explains.</p>
{importance}
<h2>Runs</h2>{table}
</body></html>
"""


def page(run: HyperDriveRun) -> str:
    """The sweep as one HTML page."""
    sweep, found = run.sweep, ranking.children(run)
    ordered = ranking.ordered(sweep, found)
    seen = [each for each in found if each.best is not None and math.isfinite(each.best)]
    names = list(sweep.space)
    best = ordered[0] if ordered and ordered[0].best is not None else None
    summary = f"{run.get_status()}, {len(found)} {'run' if len(found) == 1 else 'runs'}"
    if best is not None:
        summary += f"; best {sweep.metric}: {best.best:.6g} ({best.id})"
    if len(seen) < len(found):
        summary += f"; {len(found) - len(seen)} runs without a value are not plotted"
    return _PAGE.format(
        title=escape(f"Sweep {run.name}"),
        summary=escape(summary),
        metric=escape(sweep.metric),
        curve=_curve(ranking.best_so_far([each.best for each in found], sweep.maximizes)),
        parallel=_parallel(names, sweep.metric, seen, sweep.maximizes),
        importance=_bars(importance(names, seen)) if _differ(seen) else "<p>Not available yet.</p>",
        table=_table(names, sweep.metric, ordered),
    )


def shown(child: Child) -> str:
    """The best value of a run as text: "" if it logged none, NaN if it logged only NaN."""
    if child.best is not None:
        return f"{child.best:.6g}"
    return "NaN" if child.values else ""


def _differ(seen: Sequence[Child]) -> bool:
    """Whether the best values differ."""
    return len({each.best for each in seen}) > 1


def importance(names: Sequence[str], seen: Sequence[Child]) -> dict[str, float]:
    """The share of the best values' variance that each parameter explains alone, from 0 to 1.

    Runs are grouped by the parameter (numbers into quartiles); the share is the variance of the
    groups' means, less the part expected by chance.
    """
    values = [float(each.best or 0.0) for each in seen]
    found = {}
    for name in names:
        groups = _groups([each.parameters.get(name) for each in seen], values)
        found[name] = _explained(groups, values)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _groups(points: Sequence[Any], values: Sequence[float]) -> list[list[float]]:
    numbers = all(_is_number(each) for each in points) and len(set(points)) > _BINS
    groups: dict[Any, list[float]] = {}
    if numbers:
        order = sorted(range(len(points)), key=lambda place: points[place])
        for rank, place in enumerate(order):
            groups.setdefault(rank * _BINS // len(order), []).append(values[place])
    else:
        for point, value in zip(points, values, strict=True):
            groups.setdefault(repr(point), []).append(value)
    return list(groups.values())


def _explained(groups: Sequence[Sequence[float]], values: Sequence[float]) -> float:
    count, kinds = len(values), len(groups)
    if count <= kinds or kinds < 2:
        return 0.0
    mean = sum(values) / count
    total = sum((value - mean) ** 2 for value in values)
    between = sum(len(each) * (sum(each) / len(each) - mean) ** 2 for each in groups)
    if total == 0:
        return 0.0
    chance = (kinds - 1) * (total - between) / (count - kinds)
    return max(0.0, (between - chance) / total)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parallel(names: Sequence[str], metric: str, seen: Sequence[Child], maximizes: bool) -> str:
    if not seen:
        return f"<p>No run has logged {escape(metric)} yet.</p>"
    axes = [_axis([each.parameters.get(name) for each in seen]) for name in names]
    axes.append(_axis([each.best for each in seen]))
    step = (_WIDE - 2 * _EDGE) / max(1, len(axes) - 1)
    places = [_EDGE + number * step for number in range(len(axes))]
    lines = []
    upwards = sorted(range(len(seen)), key=lambda row: axes[-1][0][row], reverse=not maximizes)
    for row in upwards:  # the best are drawn on top
        points = [
            f"{x:.1f},{_height(axis[0][row]):.1f}" for x, axis in zip(places, axes, strict=True)
        ]
        share = axes[-1][0][row] if maximizes else 1 - axes[-1][0][row]
        share = share if axes[-1][1] != axes[-1][2] else 1.0  # all are equal
        colour = f"hsl({240 - 240 * share:.0f} 70% 45%)"
        lines.append(
            f"<polyline class='line' stroke='{colour}' points='{' '.join(points)}'>"
            f"<title>{escape(_told(seen[row], metric))}</title></polyline>"
        )
    heads = [
        f"<line class='axis' x1='{x:.1f}' x2='{x:.1f}' y1='30' y2='{_HIGH - 30}'/>"
        f"<text x='{x:.1f}' y='14' text-anchor='middle'>{escape(name.lstrip('-'))}</text>"
        f"<text x='{x:.1f}' y='27' text-anchor='middle'>{_cut(axis[2], step)}</text>"
        f"<text x='{x:.1f}' y='{_HIGH - 14}' text-anchor='middle'>{_cut(axis[1], step)}</text>"
        for x, name, axis in zip(places, [*names, metric], axes, strict=True)
    ]
    heads += [
        f"<text x='{x + 5:.1f}' y='{_height(share) + 4:.1f}'>{_cut(kind, step)}</text>"
        for x, axis in zip(places, axes, strict=True)
        for kind, share in axis[3].items()
    ]
    return f"<svg viewBox='0 0 {_WIDE} {_HIGH}'>{''.join(lines)}{''.join(heads)}</svg>"


def _curve(values: Sequence[float]) -> str:
    """The best value so far over the runs, as steps."""
    if not values:
        return "<p>Not available yet.</p>"
    shares, low, high, _ = _axis(values)
    if len(shares) == 1:
        shares *= 2  # a line, not a point
    step = (_WIDE - 2 * _EDGE) / max(1, len(shares) - 1)
    points = [(_EDGE + number * step, _height(share)) for number, share in enumerate(shares)]
    path = "".join(f"H{x:.1f}V{y:.1f}" for x, y in points[1:])
    begin = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    names = {_height(1): high, _height(0): low} if low != high else {_height(0.5): low}
    told = "".join(
        f"<text x='{_EDGE - 6}' y='{y + 4:.0f}' text-anchor='end'>{name}</text>"
        for y, name in names.items()
    )
    return (
        f"<svg viewBox='0 0 {_WIDE} {_HIGH}'>"
        f"<path class='line' stroke='#3b78c3' d='{begin}{path}'/>{told}</svg>"
    )


def _height(share: float) -> float:
    return _HIGH - 30 - share * (_HIGH - 60)


def _axis(points: Sequence[Any]) -> tuple[list[float], str, str, dict[str, float]]:
    """The position of each point from 0 to 1, both end labels, and the categories in between.

    Positive numbers that span more than two powers of ten are on a logarithmic scale. A constant is
    in the middle.
    """
    if len({str(each) for each in points}) == 1:
        name = _short(points[0])
        return [0.5] * len(points), name, name, {}
    if all(_is_number(each) for each in points):
        low, high = min(points), max(points)
        scale = math.log if low > 0 and high / low > 100 else float
        first, span = scale(low), (scale(high) - scale(low)) or 1.0
        shares = [(scale(each) - first) / span for each in points]
        return shares, f"{low:.4g}", f"{high:.4g}", {}
    kinds = sorted({str(each) for each in points})
    spans = max(1, len(kinds) - 1)
    places = {kind: number / spans for number, kind in enumerate(kinds)}
    between = {kind: places[kind] for kind in kinds[1:-1]} if len(kinds) <= _NAMED else {}
    return [places[str(each)] for each in points], kinds[0], kinds[-1], between


def _told(child: Child, metric: str) -> str:
    said = ", ".join(f"{name.lstrip('-')} {value}" for name, value in child.parameters.items())
    return f"{child.id}: {metric} {child.best:.6g}; {said}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else search_space.text(value)


def _cut(name: str, wide: float) -> str:
    """An axis label, shortened so that it does not overlap the next one."""
    most = max(8, int(wide / 6.5))
    if len(name) <= most:
        return escape(name)
    return f"{escape(name[: most - 1])}\N{HORIZONTAL ELLIPSIS}<title>{escape(name)}</title>"


def _bars(shares: dict[str, float]) -> str:
    rows = [
        f"<text x='0' y='{26 * row + 17}'>{escape(name.lstrip('-'))}</text>"
        f"<rect class='bar' x='160' y='{26 * row + 4}' width='{600 * share:.1f}' height='18'/>"
        f"<text x='{166 + 600 * share:.1f}' y='{26 * row + 17}'>{share:.2f}</text>"
        for row, (name, share) in enumerate(shares.items())
    ]
    return f"<svg viewBox='0 0 {_WIDE} {26 * max(1, len(rows))}'>{''.join(rows)}</svg>"


def _table(names: Sequence[str], metric: str, ordered: Sequence[Child]) -> str:
    heads = "".join(f"<th>{escape(each)}</th>" for each in ("run", metric, *names, "state"))
    rows = [
        [
            child.id,
            shown(child),
            *(_short(child.parameters.get(name)) for name in names),
            child.state,
        ]
        for child in ordered
    ]
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{heads}</tr>{body}</table>"
