"""Turn rattler's errors into messages with the reason and a hint."""

from __future__ import annotations

import re

from scriptrun.environments.uv.errors import redact
from scriptrun.spec.errors import EnvironmentException

_TOKEN = re.compile(r"(?<=/t/)[^/\s]+")
_LEAD = "Cannot solve the request because of: "


class Unsolvable(EnvironmentException):
    """No packages in the channels satisfy all requirements."""


def hidden(text: str) -> str:
    """``text`` without the passwords and tokens in its URLs."""
    return _TOKEN.sub("***", redact(text))


def explain(kind: str, message: str) -> EnvironmentException:
    """Convert rattler's error ``kind`` (the name of its class) to an EnvironmentException."""
    text = hidden(message).strip()
    for judge in (_disk, _unsolvable, _package, _unreachable, _malformed):
        found = judge(kind, text)
        if found is not None:
            return found
    return EnvironmentException(
        f"The conda environment build failed: {_joined(text) or kind}.",
        "For details, see the environment's log.",
    )


def _disk(kind: str, text: str) -> EnvironmentException | None:
    if "os error 28" not in text and "o space left" not in text and "os error 122" not in text:
        return None
    return EnvironmentException(
        "The conda environment build failed: the disk is full or a quota is exceeded.",
        "Free space in SCRIPTRUN_CACHE or in conda's package cache (RATTLER_CACHE_DIR).",
    )


def _unsolvable(kind: str, text: str) -> EnvironmentException | None:
    if kind != "SolverError":
        return None
    return Unsolvable(
        f"The conda packages conflict:\n{in_words(text)}",
        "Relax a version, or add the channel that has the package.",
    )


def in_words(text: str) -> str:
    """The solver's reason, one line per step, without its line drawing."""
    lines = text.removeprefix(_LEAD).splitlines()
    return "\n".join("  " + _plain(line) for line in lines if line.strip())


def _plain(line: str) -> str:
    found = re.match(r"([\s│├└─]*)(.*)", line)
    depth, words = (len(found[1]) // 3, found[2]) if found else (0, line)
    words = re.sub(r" \*(?= |,|\.|$)", "", words)
    words = words.replace("there are no viable options", "of the following")
    words = words.replace("for which no candidates were found", "which no channel has")
    words = re.sub(r"^No candidates were found for (.*?)\.?$", r"No channel has \1.", words)
    return "  " * depth + words.strip()


def _package(kind: str, text: str) -> EnvironmentException | None:
    """A locked package that has changed or is no longer available."""
    if kind == "Changed":
        return changed(text)
    found = re.search(r"failed to fetch ([^\s;]+?\.(?:conda|tar\.bz2))", text)
    if "hash mismatch" in text:
        return changed(found[1] if found else "A conda package")
    if found and ("404" in text or "os error 2)" in text):
        return EnvironmentException(
            f"{found[1]} is in the lockfile but no longer in its channel.",
            _ANEW.partition(". ")[2],
        )
    return None


def changed(names: str) -> EnvironmentException:
    """The error for packages whose digests differ from the lockfile."""
    return EnvironmentException(f"{names} does not match the lockfile: its digest differs.", _ANEW)


_ANEW = (
    "It changed after locking. To lock the environment again, run: scriptrun env build --upgrade"
)


def _unreachable(kind: str, text: str) -> EnvironmentException | None:
    if kind not in ("GatewayError", "FetchRepoDataError") and "error sending request" not in text:
        return None
    where = re.search(r"(?:https?|file)://[^\s')]+|/\S+repodata\.json", text)
    place = _channel_of(where[0]) if where else "a channel"
    if "401" in text or "403" in text:
        why, hint = "access denied", _LOG_IN
    elif "could not find subdir" in text or "404" in text:
        why, hint = "no conda channel found there", "Check its name or URL."
    else:
        why = "it is unreachable: " + text.splitlines()[-1].removeprefix("Caused by: ")
        hint = "Use a reachable channel (a mirror's URL or file:///path)."
    return EnvironmentException(f"Cannot read conda channel {place}: {why}.", hint)


_LOG_IN = (
    "Store USER:PASSWORD as the secret index-HOST (scriptrun secret set index-HOST), reference it "
    "in the channel's URL (${NAME}, ${secret:NAME}), or use ~/.netrc."
)


def _channel_of(url: str) -> str:
    return re.sub(r"/(?:noarch|(?:linux|osx|win|emscripten)-\w+)(?:/.*)?$", "", url).rstrip("/'")


def _malformed(kind: str, text: str) -> EnvironmentException | None:
    if kind not in ("InvalidMatchSpecError", "InvalidPackageNameError", "InvalidChannelError"):
        return None
    return EnvironmentException(
        f"Invalid conda requirement: {_joined(text)}.",
        "Use e.g. numpy=1.16, numpy>=1.16,<2 or numpy=1.16.2=py37_0.",
    )


def _joined(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip()).rstrip(".")
