"""Compare two runs: code, arguments, data, environment, metrics and outputs.

Compares the code, job, arguments, data, packages, variables, metrics and outputs. With --exit-code,
the command exits with 1 if they differ, as `git diff` does.

examples:
  scriptrun diff
  scriptrun diff best:accuracy latest
  scriptrun diff RUN1 RUN2 --exit-code
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.history import compare as compare_runs
from scriptrun.runs import details
from scriptrun.runs import find as find_runs
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "first", metavar="A", nargs="?", help="first run (default: the one before the latest)"
    )
    parser.add_argument("second", metavar="B", nargs="?", help="second run (default: latest)")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if they differ")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the differences and return the exit code."""
    workspace = workspace_here.require()
    first, second = _find_runs(workspace, args.first, args.second)
    comparison = compare_runs.compare(first, second)
    if args.json:
        originals = {"a": first.known_job.rerun_of, "b": second.known_job.rerun_of}
        ids = {"a": first.id, "b": second.id, "rerun_of": originals}
        output.print_json({**ids, **comparison.as_dict()})
    else:
        _print(first, second, comparison)
    return 1 if comparison and args.exit_code else 0


def _find_runs(workspace: Workspace, first: str | None, second: str | None) -> tuple[Run, Run]:
    if first is None:
        return _latest_two(workspace)
    pair = Run.find(workspace, first), Run.find(workspace, second)
    if second is None and pair[0].id == pair[1].id:
        raise UserErrorException(
            f"{first!r} is the latest run ({pair[0].id}), so there is nothing to compare it with.",
            "Give both runs: scriptrun diff A B. A shared display name selects the newest run.",
        )
    return pair


def _latest_two(workspace: Workspace) -> tuple[Run, Run]:
    ids = [row.id for row in find_runs.rows(workspace, limit=2, children=False)]
    if len(ids) < 2:
        raise UserErrorException("Comparing requires at least two runs.")
    return Run.find(workspace, ids[1]), Run.find(workspace, ids[0])


def _print(first: Run, second: Run, comparison: compare_runs.Comparison) -> None:
    if not comparison:
        print(f"No differences between {details.title(first)} and {details.title(second)}.")
        return
    print(output.paint(f"--- {details.title(first)}", "31"))
    print(output.paint(f"+++ {details.title(second)}", "32"))
    _print_originals(first, second)
    _print_section("job", comparison.job)
    if comparison.arguments is not None:
        _print_section(
            "arguments", {"": tuple(" ".join(map(_quote, words)) for words in comparison.arguments)}
        )
    _print_section("data", comparison.data)
    _print_section("environment", comparison.packages)
    _print_section("variables", comparison.variables)
    _print_section(
        "metrics", {n: tuple(map(_format_number, pair)) for n, pair in comparison.metrics.items()}
    )
    outputs = {
        name: tuple(_short_digest(digest) for digest in pair)
        for name, pair in comparison.outputs.items()
    }
    _print_section("outputs", outputs)
    _print_code(comparison.code)


def _print_originals(first: Run, second: Run) -> None:
    for run, name in ((first, "A"), (second, "B")):
        original = run.known_job.rerun_of
        names = {first.id: "A", second.id: "B"}
        if original:
            title = names.get(original) or common_arguments.title_of(run.workspace, original)
            print(one_line(f"{name} is a rerun of {title}."))


def _print_section(title: str, pairs: Mapping[str, tuple[object, ...]]) -> None:
    if pairs:
        print(f"\n{output.paint(title, '1')}")
    for name, (before, after) in pairs.items():
        head = f"{name} " if name else ""
        if before == after:  # the shortened values look the same
            print(one_line(f"~ {head}{after}"))
            continue
        if before is not None:
            print(output.paint(one_line(f"- {head}{before}"), "31"))
        if after is not None:
            print(output.paint(one_line(f"+ {head}{after}"), "32"))


def _print_code(changes: list[compare_runs.Change]) -> None:
    if changes:
        print(f"\n{output.paint('code', '1')}")
    for change in changes:
        print(one_line(f"{change.how}: {change.path}"))
        for line in change.diff.splitlines():
            colour = {"+": "32", "-": "31", "@": "36"}.get(line[:1], "")
            print(output.paint(line, colour))


def _format_number(value: object) -> str | None:
    return None if value is None else output.number(value)


def _short_digest(digest: str | None) -> str | None:
    return digest and digest[:12]


def _quote(text: str) -> str:
    import shlex

    return shlex.quote(text)
