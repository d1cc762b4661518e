"""Turn rattler's errors into messages with the reason and a hint."""

from __future__ import annotations

import re

from scriptrun.environments.uv.errors import redact
from scriptrun.spec.errors import EnvironmentException

_TOKEN = re.compile(r"(?<=/t/)[^/\s]+")
_PREFIX = "Cannot solve the request because of: "


class Unsolvable(EnvironmentException):
    """No packages in the channels satisfy all requirements."""


def redact_tokens(text: str) -> str:
    """``text`` without the passwords and tokens in its URLs."""
    return _TOKEN.sub("***", redact(text))


def explain(kind: str, message: str) -> EnvironmentException:
    """Convert rattler's error ``kind`` (the name of its class) to an EnvironmentException."""
    text = redact_tokens(message).strip()
    for classify in (_disk_error, _solver_error, _package_error, _channel_error, _syntax_error):
        error = classify(kind, text)
        if error is not None:
            return error
    return EnvironmentException(
        f"The conda environment build failed: {_join_lines(text) or kind}.",
        "For details, see the environment's log.",
    )


def _disk_error(kind: str, text: str) -> EnvironmentException | None:
    if "os error 28" not in text and "o space left" not in text and "os error 122" not in text:
        return None
    return EnvironmentException(
        "The conda environment build failed: the disk is full or a quota is exceeded.",
        "Free space in SCRIPTRUN_CACHE or in conda's package cache (RATTLER_CACHE_DIR).",
    )


def _solver_error(kind: str, text: str) -> EnvironmentException | None:
    if kind != "SolverError":
        return None
    return Unsolvable(
        f"The conda packages conflict:\n{format_conflict(text)}",
        "Relax a version, or add the channel that has the package.",
    )


def format_conflict(text: str) -> str:
    """The solver's reason, one line per step, without its line drawing."""
    lines = text.removeprefix(_PREFIX).splitlines()
    return "\n".join("  " + _simplify_line(line) for line in lines if line.strip())


def _simplify_line(line: str) -> str:
    match = re.match(r"([\s│├└─]*)(.*)", line)
    depth, text = (len(match[1]) // 3, match[2]) if match else (0, line)
    text = re.sub(r" \*(?= |,|\.|$)", "", text)
    text = text.replace("there are no viable options", "of the following")
    text = text.replace("for which no candidates were found", "which no channel has")
    text = re.sub(r"^No candidates were found for (.*?)\.?$", r"No channel has \1.", text)
    return "  " * depth + text.strip()


def _package_error(kind: str, text: str) -> EnvironmentException | None:
    """A locked package that has changed or is no longer available."""
    if kind == "Changed":
        return changed_package_error(text)
    match = re.search(r"failed to fetch ([^\s;]+?\.(?:conda|tar\.bz2))", text)
    if "hash mismatch" in text:
        return changed_package_error(match[1] if match else "A conda package")
    if match and ("404" in text or "os error 2)" in text):
        return EnvironmentException(
            f"{match[1]} is in the lockfile but no longer in its channel.",
            _RELOCK_HINT.partition(". ")[2],
        )
    return None


def changed_package_error(names: str) -> EnvironmentException:
    """The error for packages whose digests differ from the lockfile."""
    return EnvironmentException(
        f"{names} does not match the lockfile: its digest differs.", _RELOCK_HINT
    )


_RELOCK_HINT = (
    "It changed after locking. To lock the environment again, run: scriptrun env build --upgrade"
)


def _channel_error(kind: str, text: str) -> EnvironmentException | None:
    if kind not in ("GatewayError", "FetchRepoDataError") and "error sending request" not in text:
        return None
    match = re.search(r"(?:https?|file)://[^\s')]+|/\S+repodata\.json", text)
    channel = _channel_url(match[0]) if match else "a channel"
    if "401" in text or "403" in text:
        reason, hint = "access denied", _LOGIN_HINT
    elif "could not find subdir" in text or "404" in text:
        reason, hint = "no conda channel found there", "Check its name or URL."
    else:
        reason = "it is unreachable: " + text.splitlines()[-1].removeprefix("Caused by: ")
        hint = "Use a reachable channel (a mirror's URL or file:///path)."
    return EnvironmentException(f"Cannot read conda channel {channel}: {reason}.", hint)


_LOGIN_HINT = (
    "Store USER:PASSWORD as the secret index-HOST (scriptrun secret set index-HOST), reference it "
    "in the channel's URL (${NAME}, ${secret:NAME}), or use ~/.netrc."
)


def _channel_url(url: str) -> str:
    return re.sub(r"/(?:noarch|(?:linux|osx|win|emscripten)-\w+)(?:/.*)?$", "", url).rstrip("/'")


def _syntax_error(kind: str, text: str) -> EnvironmentException | None:
    if kind not in ("InvalidMatchSpecError", "InvalidPackageNameError", "InvalidChannelError"):
        return None
    return EnvironmentException(
        f"Invalid conda requirement: {_join_lines(text)}.",
        "Use e.g. numpy=1.16, numpy>=1.16,<2 or numpy=1.16.2=py37_0.",
    )


def _join_lines(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip()).rstrip(".")
