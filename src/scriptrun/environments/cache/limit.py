"""The size limit of the environment cache, from the user's variable."""

from __future__ import annotations

import os

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.store import sizes
else:
    sizes = later("scriptrun.store.sizes")

#: the cache's maximum size ("50GB", "200 GiB"); default: half of the disk space available to it
LIMIT_VARIABLE = "SCRIPTRUN_ENVIRONMENT_CACHE_SIZE"


def read_limit() -> int | None:
    """The variable's value in bytes; None if it is not set.

    Raises UserErrorException if it is not a size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    return sizes.size(text, LIMIT_VARIABLE) if text else None


def problem() -> str:
    """What is wrong with the variable and how to fix it, or ""."""
    try:
        read_limit()
    except UserErrorException as error:
        return f"{error.message} {error.hint}"
    return ""
