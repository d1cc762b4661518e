"""Turn uv's errors into messages that name the package, the reason and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s:]*:?[^/@\s]*@")
_LEAD = re.compile(r"^[\s\u00d7│├╰─▶>]*(?:error:|cause:|Caused by:)?\s*", re.IGNORECASE)


def redact(line: str) -> str:
    """``line`` without the user names and passwords in its URLs."""
    return _CREDENTIALS.sub("***@", line)


def explain(lines: Sequence[str]) -> tuple[str, str]:
    """The message and the hint for uv's output."""
    causes = _causes(lines)
    whole = " ".join(causes)
    for judge in (_disk, _refused, _git, _network, _unsolvable, _build, _hashes, _syntax):
        answer = judge(whole, lines)
        if answer is not None:
            return answer
    said = causes[0] if causes else "no reason given"
    return f"The environment build failed: {_sentence(said)}", _READ_LOG if causes[1:] else ""


def another_python_may_do(lines: Sequence[str]) -> bool:
    """Whether the packages may be available for another Python version."""
    whole = " ".join(lines)
    words = ("no usable wheels", "no wheels with a matching", "current Python version")
    return any(word in whole for word in words) or "Failed to build `" in whole


def other_versions_may_do(lines: Sequence[str]) -> bool:
    """Whether other package versions may work: the cause is neither the disk nor the network."""
    whole = " ".join(_causes(lines))
    return _disk(whole, lines) is None and _network(whole, lines) is None


#: the placeholder for a package that uv does not name: one given by its path or URL
UNNAMED = "a package"

_READ_LOG = "For uv's full output, see the environment's log."


def _causes(lines: Sequence[str]) -> list[str]:
    """The cleaned lines of the error, from the first with "error:" on, without hints."""
    for number, line in enumerate(lines):
        if re.match(r"\s*(error:|\u00d7)", line):
            chosen = lines[number:]
            break
    else:
        chosen = list(lines)
    cleaned = [_LEAD.sub("", line).strip() for line in chosen]
    return [line for line in cleaned if line and not line.startswith(("hint:", "warning:"))]


def _disk(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    known = re.search(r"No space left on device|Read-only file system|Disk quota exceeded", whole)
    if known is None:
        return None
    where = re.search(r"[`'\"(\s](/[^`'\")\s]+)", whole)
    return (
        f"Cannot write the environment{f' to {where[1]}' if where else ''}: {known[0]}.",
        "Free some disk space, or set SCRIPTRUN_CACHE and UV_CACHE_DIR to other folders.",
    )


def _refused(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    everything = " ".join(lines)
    found = re.search(
        r"index URL \((\S+)\) could not be queried due to .*?\((40[13][^)]*)\)", everything
    ) or re.search(r"HTTP status client error \(()(40[13][^)]*)\)", everything)
    if found is None:
        return None
    address = (
        found[1] or (re.search(r"Failed to fetch:? `?(\S+?)`?(?:\s|$)", everything) or "  ")[1]
    )
    host = re.sub(r"^\w+://(?:[^/@]*@)?([^/]*).*", r"\1", address)
    return (
        f"The package index {redact(address)} requires a username and password, or rejected "
        f"them: {found[2]}.",
        f"Store USER:PASSWORD as the secret index-{host} (scriptrun secret set index-{host}), or "
        f"use ${{secret:NAME}} in the index URL.",
    )


def _git(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "Git operation failed" not in whole:
        return None
    said = re.findall(r"(?:fatal|error|remote|ERROR): ([^\n]+)", "\n".join(lines))
    address = re.search(r"'((?:\w+://|git@)[^']+)'", whole)
    reason = said[-1] if said else whole
    named = redact(address[1]) if address else "of a requirement"
    return (
        f"Cannot read repository {named}: {_sentence(reason)}",
        "Check its URL, the branch, tag or commit after @, and your access to it.",
    )


def _unsolvable(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "No solution found" not in whole:
        return None
    reason = whole.partition("Because ")[2].partition(", we can conclude")[0] or whole
    unknown = re.findall(
        r"([\w.-]+) was not found in the (?:package registry|provided package locations)", whole
    )
    if unknown:
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(unknown))
        return (
            f"Package {names} not found in the package index.",
            "Check the spelling, or add the index that has it (--extra-index-url).",
        )
    return f"No set of versions satisfies the requirements: {_sentence(reason)}", _hint_for(whole)


def _hint_for(whole: str) -> str:
    if "no usable wheels" in whole or "no wheels with a matching" in whole:
        return "Use another Python version, or a version of that package that has a wheel."
    if "Requires-Python" in whole or "current Python version" in whole:
        return "Use another Python version, or relax the version of that package."
    if "no version of" in whole:
        return "Use an existing version, or relax the requirement."
    return "Relax or remove one of these requirements."


def _build(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "build backend" not in whole and "Failed to build" not in whole:
        return None
    named = re.search(
        r"Failed to (?:download and )?build:? `?([^`\s]+(?: @ [^`\s]+)?)`?", " ".join(lines)
    )
    package = f"'{named[1]}'" if named else UNNAMED
    return (
        f"No wheel of {package} for this Python and platform, and "
        "building it from source "
        f"failed: {_sentence(_last_words(lines))}",
        "Use a newer version that has a wheel, or an older Python that "
        "the pinned version supports. "
        "For the full output, see the environment's log.",
    )


def _last_words(lines: Sequence[str]) -> str:
    """The most useful line of the package's build output: its last error, else its last line."""
    inside = [line.strip(" │") for line in lines if line.startswith((" ", "│"))]
    inside = [
        line for line in inside if line and not line.lower().startswith(("cause:", "hint:", "["))
    ]
    errors = [line for line in inside if re.match(r"(\w+(Error|Exception)\b|error:|fatal)", line)]
    return (errors or inside or ["no reason given"])[-1]


def _network(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    everything = " ".join(lines)
    if (
        "network was disabled" in everything
        or "network connectivity is disabled" in everything.lower()
    ):
        name = re.search(r"([\w.-]+) was not found in the cache", whole)
        what = f"'{name[1]}'" if name else "A package"
        return (
            f"{what} is not in uv's cache, and UV_OFFLINE disables the network.",
            "Unset UV_OFFLINE, or build the environment once with network access.",
        )
    failed = re.search(
        r"(?:Failed to fetch|error sending request for url)[:\s]*[`(]?(\S+?)[`)]?(?:\s|$)", whole
    )
    if failed is None:
        return None
    status = re.search(r"HTTP status (?:client|server) error \(([^)]*)\)", whole)
    if status:
        reason = f"answered {status[1]}"
    else:
        reason = "is unreachable: " + _sentence(_cause_of_network(whole)).rstrip(".")
    return (
        f"Cannot read the package index: {failed[1]} {reason}.",
        "Check the network and the index settings (UV_DEFAULT_INDEX, "
        "PIP_INDEX_URL, pip.conf, proxies).",
    )


def _cause_of_network(whole: str) -> str:
    known = re.search(
        r"(Connection refused|dns error|failed to lookup address[^.]*|certificate[^.]*|timed out"
        r"|Network is unreachable)",
        whole,
        re.IGNORECASE,
    )
    return known[1] if known else "no connection"


def _hashes(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "Hash mismatch" not in whole:
        return None
    package = re.search(r"Hash mismatch for `?([^`\s]+)`?", whole)
    return (
        f"The index's files for '{package[1] if package else 'a package'}' do "
        "not match the lockfile.",
        "If that is expected, lock again: scriptrun env build --upgrade",
    )


def _syntax(whole: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "parse requirement" not in whole and "parse `" not in whole:
        return None
    reason = next((line for line in _causes(lines)[1:] if line), "not a requirement")
    text = next((line.strip() for line in lines[2:] if line.strip() and "^" not in line), "")
    return (
        f"Invalid requirement {text!r}: {_sentence(reason)}",
        "Use e.g. numpy, numpy==1.26.4 or numpy>=1.26,<2.",
    )


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().rstrip(".:")
    text = text[:397] + "..." if len(text) > 400 else text
    return text if text.endswith(("?", "!", ".")) else text + "."
