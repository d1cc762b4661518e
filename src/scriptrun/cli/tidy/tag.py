"""Show, set and remove the tags of runs.

The first argument is the run, the others are tags. With --query, all arguments are tags.

examples:
  scriptrun tag RUN
  scriptrun tag RUN team=vision baseline
  scriptrun tag RUN --remove baseline
  scriptrun tag --query "experiment=digits and submitted>-7d" reviewed
  scriptrun list tags.team=vision
"""

from __future__ import annotations

import argparse
import shlex

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.runs import details, marks
from scriptrun.spec import suggestion
from scriptrun.spec.control_characters import escape, one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import run_edits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.cli.parsers import Parser
    from scriptrun.core.workspace import Workspace


def arguments(parser: Parser) -> None:
    """Add the command's arguments."""
    parser.words_argument = "words"
    add = parser.add_argument
    parser.usage = "scriptrun tag [RUN | -q QUERY] [NAME[=VALUE]...] [--remove NAME]... [--json]"
    add(
        "words",
        metavar="RUN",
        nargs="*",
        default=[],
        help="run (default: latest): ID, unique ID prefix, name, latest or best:METRIC; then tags",
    )
    add(
        "-q",
        "--query",
        metavar="QUERY",
        help="tag the runs that match a query; see scriptrun list --help",
    )
    add("--remove", metavar="NAME", action="append", default=[], help="remove a tag (repeatable)")
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Change the tags, print them, and return the exit code."""
    workspace = workspace_here.require()
    if args.query is not None:
        runs, words = list(workspace.runs(args.query)), args.words
    else:
        runs, words = [_find(workspace, args.words)], args.words[1:]
        _check_no_runs(workspace, words)
    new = _parse(words)
    both = sorted(new.keys() & set(args.remove))
    if both:
        raise UserErrorException(f"Tag {both[0]!r} cannot be both set and removed.")
    if args.query is None and args.remove:
        _check_present(runs[0], args.remove)
    folders = [selected.path for selected in runs]
    if new:
        run_edits.write(folders, "tag", set=new)
    if args.remove:
        run_edits.write(folders, "tag", remove=args.remove)
    _print(runs, args, changed=bool(new or args.remove))
    return 0


def _find(workspace: Workspace, words: list[str]) -> Run:
    """The run that the first word names, which nothing but a tag is given after."""
    first = words[0] if words else None
    try:
        selected = Run.find(workspace, first)
    except UserErrorException as error:
        if first is not None and "=" in first:
            example = shlex.join(["scriptrun", "tag", "RUN", *words])
            raise UserErrorException(
                f"{error.message} Tags come after the run.", f"Write {example}."
            ) from None
        raise
    if len(words) > 1:
        marks.refuse_removed(selected, "tagged")
    return selected


def _parse(words: list[str]) -> dict[str, str | None]:
    """The tags in NAME[=VALUE]...; None for a tag without a value.

    Raises UserErrorException for invalid names.
    """
    tags: dict[str, str | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name.strip():
            raise UserErrorException(
                f"Invalid tag {word!r}: the name is missing.", "Write NAME or NAME=VALUE."
            )
        if name != name.strip() or escape(name) != name or "\n" in name or "\t" in name:
            raise UserErrorException(
                f"Invalid tag name {name!r}: it begins or ends with a space, or contains control "
                "characters.",
                "Remove them.",
            )
        tags[name] = value if equals else None
    return tags


def _check_no_runs(workspace: Workspace, words: Iterable[str]) -> None:
    """Raise UserErrorException for a second run among the tags."""
    for word in words:
        if "=" not in word and word and workspace.find_run(word) is not None:
            raise UserErrorException(
                f"{word!r} is a run, not a tag: tag one run at a time.",
                "To tag several runs, use --query.",
            )


def _check_present(selected: Run, names: list[str]) -> None:
    tags = selected.get_tags()
    for name in names:
        if name not in tags:
            raise UserErrorException(
                f"Run {details.title(selected)} has no tag {name!r}.",
                suggestion.hint(name, list(tags), "Tags"),
            )


def _print(runs: list[Run], args: argparse.Namespace, changed: bool) -> None:
    if args.json:
        output.print_json({"runs": [{"id": each.id, "tags": each.get_tags()} for each in runs]})
    elif args.query is None:
        for name, value in runs[0].get_tags().items():
            print(one_line(_shown(name, value)))
    elif changed and runs:
        print(f"{len(runs)} run{'' if len(runs) == 1 else 's'} tagged")
    elif not runs:
        print("No matching runs.")
    else:
        for each in runs:
            tags = ", ".join(_shown(*tag) for tag in each.get_tags().items())
            print(one_line(f"{details.title(each)}: {tags or 'no tags'}"))


def _shown(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"
