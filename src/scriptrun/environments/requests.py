"""What is asked of uv for a request: requirement lines, options and a Python version."""

from __future__ import annotations

import re

from scriptrun.environments import conda_names, pythons
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.spec.values import Value

_OPTION = re.compile(r"-\w\b|--[\w-]+")
_PATH = re.compile(r"(?:-e\s+|--editable[= ])?(?:file:)?(\.{1,2}(?:/.*)?|\.{1,2}\[.*)$")
_SECRET = re.compile(r"https?://(?!git@)(?![^/@\s]*\$\{)([^/@\s]+)@")
_KNOWN_OPTIONS = {
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--no-binary",
    "--only-binary", "--pre", "--trusted-host", "--prefer-binary", "-c", "--constraint",
}  # fmt: skip


class Request(Value):
    """Requirements, option lines that go into the file with them, and arguments for uv."""

    python: str | None
    lines: tuple[str, ...]
    options: tuple[str, ...]
    flags: tuple[str, ...]
    notes: tuple[str, ...]

    def direct(self) -> list[str]:
        """The requirements that are a path or an address: uv's errors don't name those."""
        return [line for line in self.lines if "/" in line]


def of(spec: EnvironmentSpec) -> Request:
    """The request that ``spec`` makes of uv; what ``troubles`` refuses is left out."""
    conda = conda_names.translate(spec.conda)
    options, flags = _options(
        [*spec.pip_options, *(line for line in spec.pip if line.startswith("-"))]
    )
    return Request(
        python=spec.python or conda.python,
        lines=tuple(dict.fromkeys([*conda.requirements, *_requirements(spec.pip)])),
        options=options,
        flags=flags,
        notes=conda.notes,
    )


def troubles(spec: EnvironmentSpec) -> list[str]:
    """Every reason why the request can't be met, as far as that is known without resolving it."""
    conda = conda_names.translate(spec.conda)
    wanted = spec.python or conda.python
    found = [conda_names.refusal(conda.unknown)] if conda.unknown else []
    found += list(conda.troubles)
    lacking = pythons.missing(wanted)
    if lacking and not (spec.pins != EXACT and _is_a_python_3(wanted)):
        found.append(f"{lacking} {pythons.hint(wanted)}")
    for line in (*spec.pip, *spec.pip_options):
        found += _trouble_of(line)
    return found


def _is_a_python_3(wanted: str | None) -> bool:
    """Whether another Python may stand for it, where versions may be relaxed."""
    return (pythons.parse(wanted or "") or (0,))[0] == 3


def _requirements(lines: tuple[str, ...]) -> list[str]:
    kept = (line.strip() for line in lines)
    return [line for line in kept if line and not line.startswith("#") and not _is_option(line)]


def _is_option(line: str) -> bool:
    return line.startswith("-") and not line.startswith(("-e", "--editable"))


def _options(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines for the requirement file, and arguments for what uv doesn't take from there."""
    kept: list[str] = []
    flags: list[str] = []
    for line in (line.strip() for line in lines):
        word, _, value = line.replace("=", " ", 1).partition(" ")
        if word == "--pre":
            flags += ["--prerelease", "allow"]
        elif word == "--trusted-host":
            flags += ["--allow-insecure-host", value.strip()]
        elif word != "--prefer-binary" and _is_option(line):
            kept.append(line)
            if word == "--extra-index-url" and "unsafe-best-match" not in flags:
                flags += ["--index-strategy", "unsafe-best-match"]  # what pip does
    return tuple(dict.fromkeys(kept)), tuple(flags)


def _trouble_of(line: str) -> list[str]:
    line = line.strip()
    secret = _SECRET.search(line)
    if secret:
        shown = line.replace(secret[1], "***")
        return [
            f"The requirement line '{shown}' holds a password. Write a variable's "
            f"name in its place: ${{NAME}}."
        ]
    if _PATH.match(line):
        return [f"The requirement '{line}' is a relative path. Give an absolute one, or a URL."]
    if _is_option(line):
        word = _OPTION.match(line)
        if word is None or word[0] not in _KNOWN_OPTIONS:
            return [
                f"The requirement line '{line}' is an option that is not known here. Leave it out."
            ]
    return []
