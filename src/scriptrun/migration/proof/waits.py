"""``time.sleep`` in proved code: it takes no time, and a loop that never ends is ended."""

from __future__ import annotations

import sys
import time

#: how often, and for how many seconds in all, code may sleep before it counts as a service
_MOST_SLEEPS, _MOST_SECONDS = 100, 6 * 3600.0
ENDLESS = "it waits for hours, or repeatedly"


class Waits:
    """What the code below ``folder`` sleeps; the end of one that does not end goes to ``errors``.

    It ends as ``exit()`` does, which loops with ``except Exception`` let through.
    """

    def __init__(self, folder: str, errors: list[str]) -> None:
        self._folder, self._errors = folder, errors
        self._sleep, self._count, self._seconds = time.sleep, 0, 0.0

    def shorten(self) -> None:
        """Let no sleep of the code take time from now on."""
        setattr(time, "sleep", self.sleep)  # noqa: B010

    def sleep(self, seconds: float) -> None:
        """Stand in for ``time.sleep``; code elsewhere sleeps as it always does."""
        if not sys._getframe(1).f_code.co_filename.startswith(self._folder):
            self._sleep(seconds)
            return
        self._sleep(0)  # other threads go on
        self._count, self._seconds = self._count + 1, self._seconds + seconds
        if self._count > _MOST_SLEEPS or self._seconds > _MOST_SECONDS:
            self._errors.append(ENDLESS)
            sys.exit(0)
