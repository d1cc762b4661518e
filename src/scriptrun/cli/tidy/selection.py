"""What archive, pin and remove share: the runs they are about, what is refused, what is printed."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable

from scriptrun.cli import common_arguments, workspace_here
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import output
from scriptrun.core.run import Run
from scriptrun.query import fields, tree
from scriptrun.runs import marks
from scriptrun.runs.marks import Family, Objection
from scriptrun.runs.search import Search
from scriptrun.spec.control_characters import one_line
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value
from scriptrun.tracking import run_marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.workspace import Workspace

#: how many runs are named one by one, also in the command that undoes it
MAX_NAMED = 10


class Words(Value):
    """How a command speaks: ``archive``, ``archived`` and, with --undo, ``unarchived``."""

    verb: str
    done: str
    undone: str


class Selected(Value, frozen=False):
    """The runs to mark, and those that are left alone, each with the reason."""

    families: list[Family]
    refused: list[tuple[Family, Objection]]


def arguments(parser: argparse.ArgumentParser, words: Words, undo: str) -> None:
    """Add the arguments of a command that sets a mark; ``undo`` is the help of --undo."""
    add = parser.add_argument
    add(
        "run_names",
        metavar="RUN",
        nargs="*",
        help="runs: IDs, unique ID prefixes, names, latest or best:METRIC",
    )
    add(
        "-q",
        "--query",
        metavar="QUERY",
        help=f"{words.verb} the runs that match a query; see scriptrun list --help",
    )
    add("--undo", action="store_true", help=undo)
    common_arguments.json_argument(parser)


def run(args: argparse.Namespace, name: str, words: Words) -> int:
    """Set or remove the mark ``name`` of the selected runs, and return the exit code."""
    carry_out(select(workspace_here.require(), args, name, words), args, name, words)
    return 0


def select(
    workspace: Workspace,
    args: argparse.Namespace,
    name: str,
    words: Words,
    force: bool = False,
) -> Selected:
    """The runs that are selected, as of now.

    Raises UserErrorException for RUN that is refused; what only matches the query is left alone.
    """
    if args.query is not None and args.run_names:
        raise UserErrorException("RUN and --query cannot be combined.", "Give one of them.")
    if args.query is None and not args.run_names:
        example = f"scriptrun {words.verb} RUN, or scriptrun {words.verb} --query QUERY"
        raise UserErrorException(f"Nothing to {words.verb}: no run given.", f"Write {example}.")
    ids = [Run.find(workspace, each, removed=args.undo).id for each in args.run_names]
    with Search(workspace) as index:
        if args.query is None:
            rows = [row for each in dict.fromkeys(ids) if (row := index.index.row(each))]
        else:
            node = index.parse(args.query).node
            if args.undo:
                node = tree.And((node, tree.flag(fields.known(name), True)))
            rows = [found.row for found in index.runs(node)]
        families = marks.families(index.index, rows)
    is_removal = name == run_marks.REMOVED and not args.undo
    registered = marks.models_by_run(workspace) if is_removal else {}
    served = marks.services_by_run(workspace) if is_removal else {}
    selected = Selected([], [])
    for family in families:
        objection = marks.objection(family, name, not args.undo, registered, served)
        if objection is None or (force and objection.can_force):
            selected.families.append(family)
        else:
            selected.refused.append((family, objection))
    if selected.refused and args.query is None:
        raise _refusal(selected.refused, words)
    return selected


def _refusal(refused: list[tuple[Family, Objection]], words: Words) -> UserErrorException:
    if len(refused) == 1:
        family, objection = refused[0]
        message = f"Run {family.run.title} cannot be {words.done}: {objection.why}."
        return UserErrorException(message, objection.hint)
    lines = [f"  {family.run.title}: {each.why}. {each.hint}" for family, each in refused]
    return UserErrorException("\n".join([f"{len(refused)} runs cannot be {words.done}:", *lines]))


def carry_out(
    selected: Selected,
    args: argparse.Namespace,
    name: str,
    words: Words,
    after: Callable[[list[Family]], None] | None = None,
) -> None:
    """Set or remove the mark, and print what changed; ``after`` says more about that."""
    on = not args.undo
    changed = marks.apply(selected.families, name, on)
    changed_ids = {family.run.id for family in changed}
    titles = {family.run.id: family.run.title for family in _families(selected)}
    done = words.done if on else words.undone
    same = f"already {words.done}" if on else f"not {words.done}"
    outcomes = [
        outcome(family, done if family.run.id in changed_ids else same)
        for family in selected.families
    ]
    outcomes += [outcome(family, f"skipped: {each.why}") for family, each in selected.refused]
    if args.json:
        output.print_json({"runs": outcomes})
        return
    if not outcomes:
        print("No matching runs.")
    for each in outcomes if len(outcomes) <= MAX_NAMED else outcomes[len(selected.families) :]:
        title = titles[str(each["id"])]
        print(one_line(f"{title}: {each['result']}{children(each['child_runs'])}"))
    if len(outcomes) > MAX_NAMED:
        print(f"{count(len(changed), 'run')} {done}")
    if on and changed:
        cli_errors.say(f"To undo, run: {_undo_command(changed, args, words)}")
        if after is not None:
            after(changed)


def _families(selected: Selected) -> list[Family]:
    return [*selected.families, *(family for family, _ in selected.refused)]


def outcome(family: Family, result: str) -> dict[str, object]:
    """What became of a run, for --json."""
    row = family.run
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "result": result,
        "child_runs": len(family.below),
    }


def children(number: object) -> str:
    """Child runs that go with a run, in parentheses; "" for none."""
    return f" (with {count(int(str(number)), 'child run')})" if number else ""


def count(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _undo_command(changed: list[Family], args: argparse.Namespace, words: Words) -> str:
    which = " ".join(shlex.quote(family.run.id) for family in changed)
    if args.query is not None and len(changed) > MAX_NAMED:
        which = f"--query {shlex.quote(args.query)}"
    return f"scriptrun {words.verb} --undo {which}"
