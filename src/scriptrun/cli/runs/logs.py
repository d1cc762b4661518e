"""Print a run's log.

The script's output goes to stdout; scriptrun's own log of the run, such as the environment build,
goes to stderr. A terminal shows colours and no other escape sequences, unless --raw is given; to a
file or a pipe the log is written byte for byte.

examples:
  scriptrun logs
  scriptrun logs RUN --follow
  scriptrun logs RUN --tail 50
  scriptrun logs RUN --all | grep loss
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments
from scriptrun.cli.terminal import attach, log_lines
from scriptrun.runs import follow
from scriptrun.spec.errors import UserErrorException


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.run_argument(parser)
    add = parser.add_argument
    add("-f", "--follow", action="store_true", help="follow the log until the run finishes")
    add("-t", "--tail", metavar="N", type=int, help="print only the last N lines")
    add("--rank", metavar="N", type=int, help="print the log of this rank (default: 0)")
    add(
        "--all", action="store_true", help="print all ranks' logs, each line prefixed with its rank"
    )
    add("--raw", action="store_true", help="print the log's escape sequences to a terminal, too")
    add("--json", action="store_true", help="print each line of the log as a JSON document")


def run(args: argparse.Namespace) -> int:
    """Print the log; return the exit code, 1 if a followed run did not complete."""
    selected = common_arguments.find_run(args)
    if args.tail is not None and args.tail < 0:
        raise UserErrorException(f"--tail must be at least 0, not {args.tail}.")
    if args.all and args.rank is not None:
        raise UserErrorException("--all and --rank cannot be used together.", "Use one of them.")
    ranks = None if args.rank is None else [args.rank]
    all_ranks = args.all and bool(selected.known_job.distribution.kind)
    if all_ranks:
        ranks = list(range(follow.count_ranks(selected.known_job)))
    logs = follow.script_logs(selected.known_job, ranks)
    if args.json:
        return log_lines.print_as_json(selected, args.follow, args.tail, logs, ranks)
    writer = (
        attach.RankLogWriter(selected, args.raw)
        if all_ranks
        else attach.LogWriter(selected, raw=args.raw)
    )
    if args.follow:
        return attach.follow_log(selected, writer, args.tail, ranks)
    stream = follow.LogStream(selected.path, writer.write, args.tail, logs)
    stream.pump()
    stream.close()
    writer.end_line()
    return 0
