"""How much the built environments may take together, as the user's variable says it."""

from __future__ import annotations

import os

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.store import sizes
else:
    sizes = later("scriptrun.store.sizes")

#: what may be kept in all, in bytes ("50GB", "200 GiB"); default: half of what the disk has
LIMIT = "SCRIPTRUN_ENVIRONMENT_CACHE_SIZE"


def given() -> int | None:
    """The variable's number of bytes; None where it is not set.

    Raises UserErrorException where it is no size.
    """
    named = os.environ.get(LIMIT, "")
    return sizes.size(named, LIMIT) if named else None


def trouble() -> str:
    """Why the variable can't be used: a sentence and what to do, or ""."""
    try:
        given()
    except UserErrorException as error:
        return f"{error.message} {error.hint}"
    return ""
