"""Notes on settings of old code that have no effect, each printed once per process."""

from __future__ import annotations

import sys

_said: set[str] = set()


def once(topic: str, sentence: str) -> None:
    """Print ``sentence`` to stderr, unless this process already printed one on ``topic``."""
    if topic not in _said:
        _said.add(topic)
        say(sentence)


def say(sentence: str) -> None:
    """Print a line to stderr, prefixed with the program's name."""
    print(f"scriptrun: {sentence}", file=sys.stderr, flush=True)


def cloud() -> None:
    """Note once that subscriptions, regions and logins are ignored."""
    once(
        "cloud",
        "Azure subscriptions, resource groups, regions and logins are ignored: "
        "the workspace is a local directory.",
    )
