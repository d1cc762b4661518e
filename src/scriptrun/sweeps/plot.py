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
from scriptrun.sweeps.journal import ChildRun

if TYPE_CHECKING:
    from scriptrun.sweeps.hyperdrive_run import HyperDriveRun

_WIDTH, _HEIGHT, _MARGIN = 900, 320, 60
_BINS = 4
#: the maximum number of categories that get labels along an axis
_MAX_LABELS = 12
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
    sweep, children = run.sweep, ranking.children(run)
    ordered = ranking.ordered(sweep, children)
    plotted = [child for child in children if child.best is not None and math.isfinite(child.best)]
    names = list(sweep.space)
    best = ordered[0] if ordered and ordered[0].best is not None else None
    summary = f"{run.get_status()}, {len(children)} {'run' if len(children) == 1 else 'runs'}"
    if best is not None:
        summary += f"; best {sweep.metric}: {best.best:.6g} ({best.id})"
    if len(plotted) < len(children):
        summary += f"; {len(children) - len(plotted)} runs without a value are not plotted"
    return _PAGE.format(
        title=escape(f"Sweep {run.name}"),
        summary=escape(summary),
        metric=escape(sweep.metric),
        curve=_curve(ranking.best_so_far([entry.best for entry in children], sweep.maximizes)),
        parallel=_parallel(names, sweep.metric, plotted, sweep.maximizes),
        importance=_bars(importance(names, plotted))
        if len({child.best for child in plotted}) > 1
        else "<p>Not available yet.</p>",
        table=_table(names, sweep.metric, ordered),
    )


def best_text(child: ChildRun) -> str:
    """The best value of a run as text: "" if it logged none, NaN if it logged only NaN."""
    if child.best is not None:
        return f"{child.best:.6g}"
    return "NaN" if child.values else ""


def importance(names: Sequence[str], children: Sequence[ChildRun]) -> dict[str, float]:
    """The share of the best values' variance that each parameter explains alone, from 0 to 1.

    Runs are grouped by the parameter (numbers into quartiles); the share is the variance of the
    groups' means, less the part expected by chance.
    """
    values = [float(child.best or 0.0) for child in children]
    largest = max(map(abs, values), default=0.0) or 1.0
    values = [value / largest for value in values]  # squares of large numbers are infinite
    shares = {}
    for name in names:
        groups = _groups([entry.parameters.get(name) for entry in children], values)
        shares[name] = _explained_share(groups, values)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _groups(points: Sequence[Any], values: Sequence[float]) -> list[list[float]]:
    is_numeric = all(_is_number(item) for item in points) and len(set(points)) > _BINS
    groups: dict[object, list[float]] = {}
    if is_numeric:
        order = sorted(range(len(points)), key=lambda position: points[position])
        for rank, index in enumerate(order):
            groups.setdefault(rank * _BINS // len(order), []).append(values[index])
    else:
        for point, value in zip(points, values, strict=True):
            groups.setdefault(repr(point), []).append(value)
    return list(groups.values())


def _explained_share(groups: Sequence[Sequence[float]], values: Sequence[float]) -> float:
    count, group_count = len(values), len(groups)
    if count <= group_count or group_count < 2:
        return 0.0
    mean = sum(values) / count
    total = sum((value - mean) ** 2 for value in values)
    between = sum(len(group) * (sum(group) / len(group) - mean) ** 2 for group in groups)
    if total == 0:
        return 0.0
    chance = (group_count - 1) * (total - between) / (count - group_count)
    return max(0.0, (between - chance) / total)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parallel(
    names: Sequence[str], metric: str, children: Sequence[ChildRun], maximizes: bool
) -> str:
    if not children:
        return f"<p>No run has logged {escape(metric)} yet.</p>"
    axes = [_axis([child.parameters.get(name) for child in children]) for name in names]
    axes.append(_axis([entry.best for entry in children]))
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(axes) - 1)
    positions = [_MARGIN + number * step for number in range(len(axes))]
    lines = []
    order = sorted(range(len(children)), key=lambda row: axes[-1][0][row], reverse=not maximizes)
    for row in order:  # the best are drawn on top
        points = [
            f"{x:.1f},{_height(axis[0][row]):.1f}" for x, axis in zip(positions, axes, strict=True)
        ]
        share = axes[-1][0][row] if maximizes else 1 - axes[-1][0][row]
        share = share if axes[-1][1] != axes[-1][2] else 1.0  # all are equal
        colour = f"hsl({240 - 240 * share:.0f} 70% 45%)"
        lines.append(
            f"<polyline class='line' stroke='{colour}' points='{' '.join(points)}'>"
            f"<title>{escape(_tooltip(children[row], metric))}</title></polyline>"
        )
    labels = [
        f"<line class='axis' x1='{x:.1f}' x2='{x:.1f}' y1='30' y2='{_HEIGHT - 30}'/>"
        f"<text x='{x:.1f}' y='14' text-anchor='middle'>{escape(name.lstrip('-'))}</text>"
        f"<text x='{x:.1f}' y='27' text-anchor='middle'>{_trim(axis[2], step)}</text>"
        f"<text x='{x:.1f}' y='{_HEIGHT - 14}' text-anchor='middle'>{_trim(axis[1], step)}</text>"
        for x, name, axis in zip(positions, [*names, metric], axes, strict=True)
    ]
    labels += [
        f"<text x='{x + 5:.1f}' y='{_height(share) + 4:.1f}'>{_trim(kind, step)}</text>"
        for x, axis in zip(positions, axes, strict=True)
        for kind, share in axis[3].items()
    ]
    return f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}'>{''.join(lines)}{''.join(labels)}</svg>"


def _curve(values: Sequence[float]) -> str:
    """The best value so far over the runs, as steps."""
    if not values:
        return "<p>Not available yet.</p>"
    shares, low, high, _ = _axis(values)
    if len(shares) == 1:
        shares *= 2  # a line, not a point
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(shares) - 1)
    points = [(_MARGIN + number * step, _height(share)) for number, share in enumerate(shares)]
    path = "".join(f"H{x:.1f}V{y:.1f}" for x, y in points[1:])
    start = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    ticks = {_height(1): high, _height(0): low} if low != high else {_height(0.5): low}
    labels = "".join(
        f"<text x='{_MARGIN - 6}' y='{y + 4:.0f}' text-anchor='end'>{name}</text>"
        for y, name in ticks.items()
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}'>"
        f"<path class='line' stroke='#3b78c3' d='{start}{path}'/>{labels}</svg>"
    )


def _height(share: float) -> float:
    return _HEIGHT - 30 - share * (_HEIGHT - 60)


def _axis(points: Sequence[Any]) -> tuple[list[float], str, str, dict[str, float]]:
    """The position of each point from 0 to 1, both end labels, and the categories in between.

    Positive numbers that span more than two powers of ten are on a logarithmic scale. A constant is
    in the middle.
    """
    if len({str(point) for point in points}) == 1:
        name = _short(points[0])
        return [0.5] * len(points), name, name, {}
    if all(_is_number(value) for value in points):
        low, high = min(points), max(points)
        scale = math.log if low > 0 and high / low > 100 else float
        first, span = scale(low), (scale(high) - scale(low)) or 1.0
        shares = [(scale(amount) - first) / span for amount in points]
        return shares, f"{low:.4g}", f"{high:.4g}", {}
    kinds = sorted({str(member) for member in points})
    spans = max(1, len(kinds) - 1)
    positions = {kind: number / spans for number, kind in enumerate(kinds)}
    between = {kind: positions[kind] for kind in kinds[1:-1]} if len(kinds) <= _MAX_LABELS else {}
    return [positions[str(entry)] for entry in points], kinds[0], kinds[-1], between


def _tooltip(child: ChildRun, metric: str) -> str:
    parameters = ", ".join(
        f"{name.lstrip('-')} {value}" for name, value in child.parameters.items()
    )
    return f"{child.id}: {metric} {child.best:.6g}; {parameters}"


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else search_space.text(value)


def _trim(name: str, width: float) -> str:
    """An axis label, shortened so that it does not overlap the next one."""
    max_length = max(8, int(width / 6.5))
    if len(name) <= max_length:
        return escape(name)
    return f"{escape(name[: max_length - 1])}\N{HORIZONTAL ELLIPSIS}<title>{escape(name)}</title>"


def _bars(shares: dict[str, float]) -> str:
    rows = [
        f"<text x='0' y='{26 * row + 17}'>{escape(name.lstrip('-'))}</text>"
        f"<rect class='bar' x='160' y='{26 * row + 4}' width='{600 * share:.1f}' height='18'/>"
        f"<text x='{166 + 600 * share:.1f}' y='{26 * row + 17}'>{share:.2f}</text>"
        for row, (name, share) in enumerate(shares.items())
    ]
    return f"<svg viewBox='0 0 {_WIDTH} {26 * max(1, len(rows))}'>{''.join(rows)}</svg>"


def _table(names: Sequence[str], metric: str, ordered: Sequence[ChildRun]) -> str:
    header = "".join(f"<th>{escape(title)}</th>" for title in ("run", metric, *names, "state"))
    rows = [
        [
            child.id,
            best_text(child),
            *(_short(child.parameters.get(name)) for name in names),
            child.state,
        ]
        for child in ordered
    ]
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{header}</tr>{body}</table>"
