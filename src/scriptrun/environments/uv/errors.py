"""Turn uv's errors into messages that name the package, the reason and what to do."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from scriptrun.runtime import disks
from scriptrun.spec import url_logins

_PREFIX = re.compile(r"^[\s\u00d7│├╰─▶>]*(?:error:|cause:|Caused by:)?\s*", re.IGNORECASE)


def redact(line: str) -> str:
    """``line`` without the user names, passwords and other credentials in its URLs."""
    return url_logins.mask(line)


def explain(lines: Sequence[str]) -> tuple[str, str]:
    """The message and the hint for uv's output."""
    causes = _causes(lines)
    text = " ".join(causes)
    for classify in (
        _disk_error,
        _access_error,
        _git_error,
        _network_error,
        _solver_error,
        _build_error,
        _hash_error,
        _syntax_error,
    ):
        answer = classify(text, lines)
        if answer is not None:
            return answer
    cause = causes[0] if causes else "no reason given"
    return f"The environment build failed: {_sentence(cause)}", _LOG_HINT if causes[1:] else ""


def another_python_may_help(lines: Sequence[str]) -> bool:
    """Whether the packages may be available for another Python version."""
    text = " ".join(lines)
    words = ("no usable wheels", "no wheels with a matching", "current Python version")
    return any(word in text for word in words) or "Failed to build `" in text


def other_versions_may_help(lines: Sequence[str]) -> bool:
    """Whether other package versions may work: the cause is neither the disk nor the network."""
    text = " ".join(_causes(lines))
    return _disk_error(text, lines) is None and _network_error(text, lines) is None


def unbuilt(lines: Sequence[str]) -> str:
    """The package whose build from source failed; "" if none did, or if it is given by path."""
    match = re.search(
        r"Failed to (?:download and )?build:? `?([A-Za-z0-9][\w.-]*)==", " ".join(lines)
    )
    return match[1] if match else ""


#: the placeholder for a package that uv does not name: one given by its path or URL
UNNAMED = "a package"

_LOG_HINT = "For uv's full output, see the environment's log."


def _causes(lines: Sequence[str]) -> list[str]:
    """The cleaned lines of the error, from the first with "error:" on, without hints."""
    for number, line in enumerate(lines):
        if re.match(r"\s*(error:|\u00d7)", line):
            selected = lines[number:]
            break
    else:
        selected = list(lines)
    cleaned = [_PREFIX.sub("", line).strip() for line in selected]
    return [line for line in cleaned if line and not line.startswith(("hint:", "warning:"))]


def _disk_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    match = re.search(r"No space left on device|Read-only file system|Disk quota exceeded", text)
    if match is None:
        return None
    path = re.search(r"[`'\"(\s](/[^`'\")\s]+)", text)
    number = {"N": errno.ENOSPC, "R": errno.EROFS, "D": errno.EDQUOT}[match[0][0]]
    reason = disks.describe(OSError(number, match[0]), path and path[1])
    return (
        f"Cannot write the environment{f' to {path[1]}' if path else ''}: {reason}.",
        "Free some disk space, or set SCRIPTRUN_CACHE and UV_CACHE_DIR to other folders.",
    )


def _access_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    output = " ".join(lines)
    match = re.search(
        r"index URL \((\S+)\) could not be queried due to .*?\((40[13][^)]*)\)", output
    ) or re.search(r"HTTP status client error \(()(40[13][^)]*)\)", output)
    if match is None:
        return None
    address = match[1] or (re.search(r"Failed to fetch:? `?(\S+?)`?(?:\s|$)", output) or "  ")[1]
    host = re.sub(r"^\w+://([^/]*).*", r"\1", url_logins.remove(address))
    return (
        f"The package index {redact(address)} requires a username and password, or rejected "
        f"them: {match[2]}.",
        f"Store USER:PASSWORD as the secret index-{host} (scriptrun secret set index-{host}), or "
        f"use ${{secret:NAME}} in the index URL.",
    )


def _git_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "Git operation failed" not in text:
        return None
    messages = re.findall(r"(?:fatal|error|remote|ERROR): ([^\n]+)", "\n".join(lines))
    address = re.search(r"'((?:\w+://|git@)[^']+)'", text)
    reason = messages[-1] if messages else text
    repository = redact(address[1]) if address else "of a requirement"
    return (
        f"Cannot read repository {repository}: {_sentence(reason)}",
        "Check its URL, the branch, tag or commit after @, and your access to it.",
    )


def _solver_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "No solution found" not in text:
        return None
    reason = text.partition("Because ")[2].partition(", we can conclude")[0] or text
    unknown = re.findall(
        r"([\w.-]+) was not found in the (?:package registry|provided package locations)", text
    )
    if unknown:
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(unknown))
        return (
            f"Package {names} not found in the package index.",
            "Check the spelling, or add the index that has it (--extra-index-url).",
        )
    return f"No set of versions satisfies the requirements: {_sentence(reason)}", _solver_hint(text)


def _solver_hint(text: str) -> str:
    if "no usable wheels" in text or "no wheels with a matching" in text:
        return "Use another Python version, or a version of that package that has a wheel."
    if "Requires-Python" in text or "current Python version" in text:
        return "Use another Python version, or relax the version of that package."
    if "no version of" in text:
        return "Use an existing version, or relax the requirement."
    return "Relax or remove one of these requirements."


def _build_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "build backend" not in text and "Failed to build" not in text:
        return None
    match = re.search(
        r"Failed to (?:download and )?build:? `?([^`\s]+(?: @ [^`\s]+)?)`?", " ".join(lines)
    )
    package = f"'{match[1]}'" if match else UNNAMED
    return (
        f"No wheel of {package} for this Python and platform, and "
        "building it from source "
        f"failed: {_sentence(_build_message(lines))}",
        "Use a newer version that has a wheel, or an older Python that "
        "the pinned version supports. "
        "For the full output, see the environment's log.",
    )


def _build_message(lines: Sequence[str]) -> str:
    """The most useful line of the package's build output: its last error, else its last line."""
    build_lines = [line.strip(" │") for line in lines if line.startswith((" ", "│"))]
    build_lines = [
        line
        for line in build_lines
        if line and not line.lower().startswith(("cause:", "hint:", "["))
    ]
    errors = [
        line for line in build_lines if re.match(r"(\w+(Error|Exception)\b|error:|fatal)", line)
    ]
    return (errors or build_lines or ["no reason given"])[-1]


def _network_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    output = " ".join(lines)
    if "network was disabled" in output or "network connectivity is disabled" in output.lower():
        name = re.search(r"([\w.-]+) was not found in the cache", text)
        package = f"'{name[1]}'" if name else "A package"
        return (
            f"{package} is not in uv's cache, and UV_OFFLINE disables the network.",
            "Unset UV_OFFLINE, or build the environment once with network access.",
        )
    match = re.search(
        r"(?:Failed to fetch|error sending request for url)[:\s]*[`(]?(\S+?)[`)]?(?:\s|$)", text
    )
    if match is None:
        return None
    status = re.search(r"HTTP status (?:client|server) error \(([^)]*)\)", text)
    if status:
        reason = f"answered {status[1]}"
    else:
        reason = "is unreachable: " + _sentence(_network_cause(text)).rstrip(".")
    return (
        f"Cannot read the package index: {match[1]} {reason}.",
        "Check the network and the index settings (UV_DEFAULT_INDEX, "
        "PIP_INDEX_URL, pip.conf, proxies).",
    )


def _network_cause(text: str) -> str:
    match = re.search(
        r"(Connection refused|dns error|failed to lookup address[^.]*|certificate[^.]*|timed out"
        r"|Network is unreachable)",
        text,
        re.IGNORECASE,
    )
    return match[1] if match else "no connection"


def _hash_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "Hash mismatch" not in text:
        return None
    package = re.search(r"Hash mismatch for `?([^`\s]+)`?", text)
    return (
        f"The index's files for '{package[1] if package else 'a package'}' do "
        "not match the lockfile.",
        "If that is expected, lock again: scriptrun env build --upgrade",
    )


def _syntax_error(text: str, lines: Sequence[str]) -> tuple[str, str] | None:
    if "parse requirement" not in text and "parse `" not in text:
        return None
    reason = next((line for line in _causes(lines)[1:] if line), "not a requirement")
    return (
        f"Invalid requirement {_marked_line(lines)!r}: {_sentence(reason)}",
        "Use e.g. numpy, numpy==1.26.4 or numpy>=1.26,<2.",
    )


def _marked_line(lines: Sequence[str]) -> str:
    """The line above the one with carets that mark an error, else the first below two others."""
    marks = [number for number, line in enumerate(lines) if line.strip() and not line.strip(" ^")]
    shown = reversed(lines[: marks[0]]) if marks else iter(lines[2:])
    return next((line.strip() for line in shown if line.strip()), "")


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().rstrip(".:")
    text = text[:397] + "..." if len(text) > 400 else text
    return text if text.endswith(("?", "!", ".")) else text + "."
