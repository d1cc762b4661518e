"""The rules for names that people choose: of compute targets, models, datasets, environments."""

from __future__ import annotations

import re

#: letters, digits, ``_``, ``-`` and ``.``, beginning with a letter or digit
_STRICT = r"[^\W_][\w.-]*"
#: what no name contains: path separators, what is before a version, control characters
_NEVER = r"[/\\:@\x00-\x1f\x7f-\x9f\u2028\u2029]"


def strict_problem(name: object) -> str:
    """Why ``name`` is invalid where only letters, digits, ``_``, ``-`` and ``.`` are; "" if not."""
    if isinstance(name, str) and re.fullmatch(_STRICT, name):
        return ""
    return "Use letters, digits, '_', '-' and '.', starting with a letter or digit."


def problem(name: object) -> str:
    """Why ``name`` is invalid where spaces are allowed, as the SDK v1 did; "" if it is not."""
    if not isinstance(name, str) or not name.strip():
        return "Give a name."
    if re.search(_NEVER, name):
        return "Use a name without '/', '\\', ':', '@' and control characters."
    if name != name.strip() or name.startswith((".", "-")):
        return "Use a name that begins with neither '.' nor '-', without spaces around it."
    return ""
