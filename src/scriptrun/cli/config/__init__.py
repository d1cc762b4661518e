"""Show and change settings: defaults for your runs, and for those of a project.

Your settings are in ~/.config/scriptrun/config.toml. A project's are in scriptrun.toml, or in the
table [tool.scriptrun] of pyproject.toml. Without --user or --project, list and get show the
settings in effect in the current directory; set and unset change yours.

examples:
  scriptrun config list --show-origin
  scriptrun config set compute gpu-cluster
  scriptrun config set --project tags.team vision
  scriptrun config set notify "notify-send '{name}: {state}'"
"""

from __future__ import annotations

import argparse

from scriptrun.cli import common_arguments
from scriptrun.registry.settings import keys

_VERBS = {
    "list": ("list the settings in effect", "config.show"),
    "get": ("print one setting", "config.show"),
    "set": ("set a setting in a settings file", "config.edit"),
    "unset": ("remove a setting from a settings file", "config.edit"),
    "edit": ("open a settings file in your editor", "config.edit"),
    "path": ("print the paths of the settings files", "config.show"),
}


def _list_arguments(verb: argparse.ArgumentParser) -> None:
    _level_arguments(verb)
    verb.add_argument("--show-origin", action="store_true", help="show where each setting is set")


def _key_arguments(verb: argparse.ArgumentParser) -> None:
    _level_arguments(verb)
    verb.add_argument("key", metavar="SETTING", help="setting, or an entry of one, e.g. tags.team")


def _set_arguments(verb: argparse.ArgumentParser) -> None:
    _key_arguments(verb)
    verb.add_argument("value", metavar="VALUE", nargs="+", help="value; for notify, a command")


def _level_arguments(verb: argparse.ArgumentParser) -> None:
    levels = verb.add_mutually_exclusive_group()
    levels.add_argument("--user", action="store_true", help="your settings file")
    levels.add_argument("--project", action="store_true", help="the project's settings file")


_ARGUMENTS = {
    "list": _list_arguments,
    "get": _key_arguments,
    "set": _set_arguments,
    "unset": _key_arguments,
    "edit": _level_arguments,
    "path": _level_arguments,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    lines = [f"  {key:<14}{each.help.replace('`', '')}" for key, each in keys.SETTINGS.items()]
    parser.epilog = "\n".join([f"{parser.epilog or ''}\n", "settings:", *lines])
    common_arguments.add_verbs(parser, _VERBS, _ARGUMENTS, without_json=("edit",))


def run(args: argparse.Namespace) -> int:
    """Run the selected subcommand and return the exit code."""
    value = common_arguments.run_verb(args, _VERBS)
    return 1 if args.verb == "get" and value and value["value"] is None else 0
