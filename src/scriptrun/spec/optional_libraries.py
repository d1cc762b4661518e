"""Libraries that scriptrun uses if they are installed, and that it does not require."""

from __future__ import annotations

import importlib

from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def require(library: str, feature: str, otherwise: str = "") -> ModuleType:
    """Import ``library`` for ``feature``; ``otherwise`` says what works without it.

    Raises UserErrorException if it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise UserErrorException(
            f"{feature} requires {library}, which is not installed.",
            f"Install it: pip install {library}. {otherwise}".rstrip(),
        ) from None
