"""List, show, compare, build and remove environments.

An environment is named NAME[:VERSION]; show and diff take the key of a built one, or a run, too.
build locks and builds one before any run needs it; --plan only says what it would do, --upgrade
resolves it anew. prune makes room in this machine's cache, and leaves what runs use.

examples:
  scriptrun env build --requirements requirements.txt
  scriptrun env diff sklearn:1 sklearn:2
  scriptrun env prune --older-than 30d --max-size 50GB
  scriptrun env alias AzureML-PyTorch-1.6-GPU scriptrun-pytorch
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments
from scriptrun.cli.options import environment as environment_options
from scriptrun.spec.hints import Any

#: verb: its line, and the module that does it (loaded when it is used)
_VERBS = {
    "list": ("the environments by name, and those that are built", "env.show"),
    "show": ("what an environment holds and why, and whether it is built", "env.show"),
    "diff": ("which packages differ between two environments", "env.show"),
    "build": ("lock and build one", "env.build"),
    "remove": ("take a built one out of the cache", "env.build"),
    "prune": ("take built ones out of the cache, the longest unused first", "env.build"),
    "alias": ("let an old name stand for another; without arguments: list them", "env.build"),
    "registry": ("where built container images are shared; without ADDRESS: say", "env.registry"),
}
_NAME = "NAME[:VERSION]"


def arguments(parser: Any) -> None:
    """Add the command's arguments."""
    common_arguments.add_verbs(parser, _VERBS, _ADD)


def _list(verb: Any) -> None:
    verb.add_argument("--built", action="store_true", help="only what is built on this machine")
    verb.add_argument("--all", action="store_true", help="the names of Azure's curated ones too")


def _show(verb: Any) -> None:
    verb.add_argument("environment", metavar=_NAME, help="or the key of a built one, or a run")


def _diff(verb: Any) -> None:
    verb.add_argument("first", metavar="A", help="NAME[:VERSION], the key of a built one, or a run")
    verb.add_argument("second", metavar="B", help="the other one")
    verb.add_argument("--exit-code", action="store_true", help="end with 1 where they differ")


def _build(verb: Any) -> None:
    verb.add_argument("environment", metavar=_NAME, nargs="?")
    environment_options.arguments(verb.add_argument)
    verb.add_argument("--script", metavar="F", dest="from_script", help="from a script's header")
    verb.add_argument("--upgrade", action="store_true", help="resolve it anew")
    verb.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")


def _remove(verb: Any) -> None:
    verb.add_argument("key", metavar="KEY", help="as `env list` shows it, or its beginning")


def _prune(verb: Any) -> None:
    verb.add_argument("--older-than", metavar="AGE", help="those unused for so long: 12h, 30d, 4w")
    verb.add_argument("--keep", metavar="N", type=int, help="all but the N last used")
    verb.add_argument("--max-size", metavar="SIZE", help="until the rest is no larger: 50GB")
    verb.add_argument("--dry-run", action="store_true", help="say what would go, and do nothing")


def _alias(verb: Any) -> None:
    verb.add_argument("name", metavar="NAME", nargs="?", help="a name, or a pattern: AzureML-*")
    verb.add_argument("stands_for", metavar="OTHER", nargs="?", help="the one that it stands for")
    verb.add_argument("--remove", action="store_true", help="let NAME mean itself again")


def _registry(verb: Any) -> None:
    verb.add_argument("address", metavar="ADDRESS", nargs="?", help="as registry.example.org/us")
    verb.add_argument("--username", metavar="U", help="who pushes and pulls there")
    verb.add_argument("--remove", action="store_true", help="share images no longer")


_ADD = {
    "list": _list,
    "show": _show,
    "diff": _diff,
    "build": _build,
    "remove": _remove,
    "prune": _prune,
    "alias": _alias,
    "registry": _registry,
}


def run(args: argparse.Namespace) -> int:
    """Do what the verb says; the exit code."""
    value = common_arguments.do_verb(args, _VERBS)
    return 1 if getattr(args, "exit_code", False) and value["packages"] else 0
