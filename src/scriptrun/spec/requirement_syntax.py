"""Whether a requirement can be parsed, by the standard's own parser.

https://packaging.python.org/en/latest/specifications/dependency-specifiers/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

EXAMPLES = "use e.g. numpy, numpy==1.26.4 or numpy>=1.26,<2"
_MOST_CHARACTERS = 10_000
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?"
_CLAUSE = rf"(?:[=!]=\s*{_VERSION}(?:\.\*)?|[<>]=?\s*{_VERSION}|~=\s*\d+(?:\.\d+)+)"
_TEST = r"[a-z_]+\s*(?:[<>=!~]=|[<>])\s*(?:\"[\w. -]*\"|'[\w. -]*')"
#: what most requirements look like: these need no parser, which takes time to load
_PLAIN = (
    rf"{_NAME}\s*(?:\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?"
    rf"\s*(?:{_CLAUSE}(?:\s*,\s*{_CLAUSE})*)?\s*"
    r"(?:;\s*(?P<marker>.*))?$"
)
#: a name with versions of any form
_VERSIONED = (
    rf"{_NAME}\s*(?:\[[\w., -]*\])?\s*(?:(?:===?|[~!]=|[<>]=?)\s*[\w.*+!-]+\s*,?\s*)+(?:;.*)?$"
)
_MARKER = rf"{_TEST}(?:\s+(?:and|or)\s+{_TEST})*$"
_VARIABLES = {
    *["python_version", "python_full_version", "os_name", "sys_platform", "extra"],
    *["platform_release", "platform_system", "platform_version", "platform_machine"],
    *["platform_python_implementation", "implementation_name", "implementation_version"],
}
#: an operator that pip does not know, and the one that is meant
_OPERATORS = {"=": "==", "~": "~=", "^": "~=", "=>": ">=", "=<": "<=", ">>": ">", "<<": "<"}
_UNKNOWN_OPERATOR = rf"({_NAME}(?:\[[^\]]*\])?)\s*([=<>~^!]+)\s*(\d[\w.*+!-]*)"


def problem(line: str, any_version: bool = False) -> str:
    """Why ``line`` is not a requirement; "" if it is one, an option, a path or a URL.

    ``any_version``: versions may be invalid, as relaxed pins replace them (``pytz==2004d``).
    """
    text = " ".join(line.split()).partition(" #")[0].partition(" -")[0]
    if not text or text.startswith(("-", ".", "/", "~", "#", "$")) or "://" in text or "\\" in text:
        return ""
    if len(text) > _MOST_CHARACTERS:
        return f"it is longer than {_MOST_CHARACTERS:,} characters"
    unset = [each for each in re.findall(r"\$\{([A-Z0-9_]+)\}", text) if not os.environ.get(each)]
    if unset:
        return f"the variable {unset[0]} is not set"
    if "${secret:" in text or _is_location(text) or _is_plain(text):
        return ""
    if re.search(r"@\s*\d", text):
        return _reason(text, "", "")
    return "" if any_version and re.match(_VERSIONED, text) else _parse(text)


def _parse(text: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement as error:
        span = getattr(error.__cause__, "span", None)
        return _reason(text, str(error).partition("\n")[0], text[span[0] :] if span else "")
    except RecursionError:
        return "its marker is nested too deeply"
    return ""


def _is_location(text: str) -> bool:
    """Whether the requirement is a path, or a name with one: ``name @ path``."""
    requirement = text.partition(";")[0]
    return "/" in requirement or requirement.endswith((".whl", ".tar.gz", ".zip"))


def _is_plain(text: str) -> bool:
    match = re.match(_PLAIN, text)
    if match is None or match["marker"] is None:
        return match is not None
    names = re.findall(r"([a-z_]+)\s*[<>=!~]", match["marker"])
    return re.match(_MARKER, match["marker"].strip()) is not None and _VARIABLES.issuperset(names)


def _reason(text: str, message: str, rest: str) -> str:
    """The parser's ``message`` in plain words; ``rest`` is what it could not read."""
    correction = _correction(text)
    if correction:
        return correction
    for bracket, closing in (("RIGHT_BRACKET", "]"), ("RIGHT_PARENTHESIS", ")")):
        if bracket in message:
            return f"{closing!r} is missing"
    if "package name at the start" in message:
        return f"it does not begin with the name of a package; {EXAMPLES}"
    if rest and message.endswith("or end"):
        return f"unexpected {rest!r}"
    return f"{message[:1].lower()}{message[1:]}{f' at {rest!r}' if rest else ''}"


def _correction(text: str) -> str:
    """What to write instead, where that is plain; else ""."""
    name, at_sign, version = text.partition("@")
    if at_sign:
        return f"a URL or a path must follow @; for a version use {name.strip()}=={version.strip()}"
    known = re.match(_UNKNOWN_OPERATOR, text)
    if known and known[2] in _OPERATORS:
        return f"{known[2]!r} is not an operator; use {known[1]}{_OPERATORS[known[2]]}{known[3]}"
    words = text.partition(";")[0].split()
    if len(words) < 2 or not all(re.fullmatch(_NAME, word) for word in words):
        return ""
    if re.fullmatch(_VERSION, words[1]):
        return f"an operator is missing; use {words[0]}=={words[1]}"
    return "it contains a space; give each package its own line"


def problems(lines: Iterable[str]) -> list[str]:
    """The problems with requirement lines but their versions, each with its line."""
    reasons = {line: problem(line, any_version=True) for line in lines}
    return [f"invalid requirement {line!r}: {reason}" for line, reason in reasons.items() if reason]
