"""What old code asks for and has no meaning here, explained once."""

from __future__ import annotations

import sys

_said: set[str] = set()


def once(topic: str, sentence: str) -> None:
    """Say ``sentence`` on stderr, unless this process has spoken of ``topic`` before."""
    if topic not in _said:
        _said.add(topic)
        say(sentence)


def say(sentence: str) -> None:
    """One line on stderr, marked as ours."""
    print(f"scriptrun: {sentence}", file=sys.stderr, flush=True)


def cloud() -> None:
    """Explain subscriptions, regions and logins."""
    once(
        "cloud",
        "Azure subscriptions, resource groups, regions and logins are ignored: "
        "the workspace is a local directory.",
    )
