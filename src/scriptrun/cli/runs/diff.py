"""Compare two runs: code, arguments, data, environment, metrics and outputs.

With --exit-code it exits with 1 if they differ, as `git diff` does.
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.history import compare as compare_runs
from scriptrun.runs import find as find_runs
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "first", metavar="A", nargs="?", help="first run (default: the one before the latest)"
    )
    parser.add_argument("second", metavar="B", nargs="?", help="second run (default: latest)")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if they differ")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the differences and return the exit code."""
    workspace = workspace_here.existing()
    first, second = _two(workspace, args.first, args.second)
    found = compare_runs.compare(first, second)
    if args.json:
        output.as_json({"a": first.id, "b": second.id, **found.as_dict()})
    else:
        _print(first, second, found)
    return 1 if found and args.exit_code else 0


def _two(workspace: Workspace, first: str | None, second: str | None) -> tuple[Run, Run]:
    if first is None:
        return _last_two(workspace)
    found = Run.find(workspace, first), Run.find(workspace, second)
    if second is None and found[0].id == found[1].id:
        raise UserErrorException(
            f"{first!r} is the latest run ({found[0].id}), so there is nothing to compare it with.",
            "Give both runs: scriptrun diff A B. A shared display name selects the newest run.",
        )
    return found


def _last_two(workspace: Workspace) -> tuple[Run, Run]:
    ids = [row.id for row in find_runs.rows(workspace, limit=2, children=False)]
    if len(ids) < 2:
        raise UserErrorException("Comparing requires at least two runs.")
    return Run.find(workspace, ids[1]), Run.find(workspace, ids[0])


def _print(first: Run, second: Run, found: compare_runs.Comparison) -> None:
    if not found:
        print(f"No differences between {first.id} and {second.id}.")
        return
    print(output.painted(f"--- {first.id}", "31"))
    print(output.painted(f"+++ {second.id}", "32"))
    _section("job", found.job)
    if found.arguments is not None:
        _section("arguments", {"": tuple(" ".join(map(_word, each)) for each in found.arguments)})
    _section("data", found.data)
    _section("environment", found.packages)
    _section("variables", found.variables)
    _section("metrics", {n: tuple(map(_number, pair)) for n, pair in found.metrics.items()})
    outputs = {name: tuple(_short(each) for each in pair) for name, pair in found.outputs.items()}
    _section("outputs", outputs)
    _code(found.code)


def _section(title: str, pairs: dict[str, Any]) -> None:
    if pairs:
        print(f"\n{output.painted(title, '1')}")
    for name, (before, after) in pairs.items():
        head = f"{name} " if name else ""
        if before == after:  # the shortened values look the same
            print(f"~ {head}{after}")
            continue
        if before is not None:
            print(output.painted(f"- {head}{before}", "31"))
        if after is not None:
            print(output.painted(f"+ {head}{after}", "32"))


def _code(changes: list[compare_runs.Change]) -> None:
    if changes:
        print(f"\n{output.painted('code', '1')}")
    for change in changes:
        print(f"{change.how}: {change.path}")
        for line in change.diff.splitlines():
            colour = {"+": "32", "-": "31", "@": "36"}.get(line[:1], "")
            print(output.painted(line, colour))


def _number(value: Any) -> str | None:
    return None if value is None else output.number(value)


def _short(digest: str | None) -> str | None:
    return digest and digest[:12]


def _word(text: str) -> str:
    import shlex

    return shlex.quote(text)
