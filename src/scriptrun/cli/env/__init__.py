"""List, show, compare, build and remove environments.

Refer to an environment as NAME[:VERSION]; show and diff also accept the key of a built environment
or a run. build locks and builds an environment ahead of a run; use --dry-run to preview the build
and --upgrade to resolve packages again. prune frees space in this machine's cache, but keeps
environments that runs use.

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

#: subcommand: its summary, and the module that implements it (imported on use)
_VERBS = {
    "list": ("list named and built environments", "env.show"),
    "show": ("show an environment's packages and build status", "env.show"),
    "diff": ("compare the packages of two environments", "env.show"),
    "build": ("lock and build an environment", "env.build"),
    "remove": ("remove a built environment from the cache", "env.build"),
    "prune": ("remove least recently used environments from the cache", "env.build"),
    "alias": ("map an environment name to another, or list aliases", "env.build"),
    "registry": ("show or set the registry for built images", "env.registry"),
}
_NAME = "NAME[:VERSION]"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    common_arguments.add_verbs(parser, _VERBS, _ADDERS)


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--built", action="store_true", help="list only environments built on this machine"
    )
    verb.add_argument("--all", action="store_true", help="include Azure's curated environments")


def _show(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "environment", metavar=_NAME, help="environment, key of a built environment, or run"
    )


def _diff(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "first", metavar="A", help="NAME[:VERSION], key of a built environment, or run"
    )
    verb.add_argument("second", metavar="B", help="environment to compare with")
    verb.add_argument("--exit-code", action="store_true", help="exit with 1 if they differ")


def _build(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "environment", metavar=_NAME, nargs="?", help="registered or curated environment"
    )
    environment_options.arguments(verb.add_argument)
    verb.add_argument(
        "--script",
        metavar="F",
        dest="from_script",
        help="read dependencies from a script's inline metadata",
    )
    verb.add_argument("--upgrade", action="store_true", help="resolve packages again")
    verb.add_argument(
        "--dry-run",
        "--plan",
        dest="plan",
        action="store_true",
        help="show the build steps without building",
    )


def _remove(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("key", metavar="KEY", help="key or key prefix from `env list`")


def _prune(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--older-than", metavar="AGE", help="remove if unused for this long: 12h, 30d, 4w"
    )
    verb.add_argument("--keep", metavar="N", type=int, help="keep the N most recently used")
    verb.add_argument("--max-size", metavar="SIZE", help="shrink the cache to this size, e.g. 50GB")
    verb.add_argument("--dry-run", "--plan", action="store_true", help="show what would be removed")


def _alias(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", nargs="?", help="name or pattern, e.g. AzureML-*")
    verb.add_argument(
        "stands_for", metavar="OTHER", nargs="?", help="environment that the alias resolves to"
    )
    verb.add_argument("--remove", action="store_true", help="remove the alias")


def _registry(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "address", metavar="ADDRESS", nargs="?", help="registry, e.g. registry.example.org/team"
    )
    verb.add_argument("--username", metavar="U", help="username for the registry")
    verb.add_argument("--remove", action="store_true", help="stop sharing images")


_ADDERS = {
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
    """Run the selected subcommand and return the exit code."""
    value = common_arguments.run_verb(args, _VERBS)
    differs = isinstance(value, dict) and value.get("packages")
    return 1 if getattr(args, "exit_code", False) and differs else 0
