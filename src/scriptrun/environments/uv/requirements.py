"""The uv request for an environment: requirement lines, options and a Python version."""

from __future__ import annotations

import os
import re

from scriptrun.environments import dependency_paths, site_packages
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.uv import local_sources
from scriptrun.spec import requirement_syntax, url_logins
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.interpreter import download as interpreter_download
    from scriptrun.environments.uv import index_credentials
    from scriptrun.runtime.hints import Json
else:
    index_credentials = later("scriptrun.environments.uv.index_credentials")
    interpreter_download = later("scriptrun.environments.interpreter.download")

_OPTION = r"-\w\b|--[\w-]+"
#: the first character of a requirement, an option, a path, a comment or a variable
_FIRST_CHARACTER = r"[\w./~$#\\-]"
_RELATIVE_PATH = r"(?:-e\s+|--editable[= ])?(?:file:)?(\.{1,2}(?:/.*)?|\.{1,2}\[.*)$"
#: a repository's address for ssh, as in ``git clone``
_SCP_ADDRESS = r"(?:git\+)?[\w.-]+@[\w-]+\.[\w.-]+:[^/@]\S*$"
_KNOWN_OPTIONS = {
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--no-binary",
    "--only-binary", "--pre", "--trusted-host", "--prefer-binary", "-c", "--constraint",
    "--no-deps", "--index-strategy",
}  # fmt: skip
#: packages that are empty and refuse to be installed today: what they stood for
_STAND_INS = {"sklearn": "scikit-learn", "tensorflow-gpu": "tensorflow"}


class Request(Value):
    """Requirements, option lines for the requirements file, and arguments for uv.

    ``brought`` are more requirements, which are left out if unavailable. ``uv`` is a
    ``[tool.uv]`` table of pyproject.toml, used when the request is locked.
    """

    python: str | None
    lines: tuple[str, ...]
    options: tuple[str, ...]
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    brought: tuple[str, ...] = ()
    uv: Json = fresh(default_factory=dict)

    def direct(self) -> list[str]:
        """The requirements that are a path or a URL, which uv's errors do not name."""
        return [line for line in self.lines if "/" in line]

    def for_sync(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Options and flags to install the lockfile: nothing is resolved, so any index will do.

        ``uv pip sync`` supports neither ``--prerelease`` nor ``--no-deps``.
        """
        pairs = [
            pair for pair in _pairs(self.flags) if pair[0] not in ("--prerelease", "--no-deps")
        ]
        options = [*self.options, *_index_options(self.uv)]
        if self.uv and len(options) > 1:
            pairs = [pair for pair in pairs if pair[0] != "--index-strategy"]
            pairs.append(("--index-strategy", "unsafe-best-match"))
        return tuple(dict.fromkeys(options)), tuple(word for pair in pairs for word in pair)


def from_spec(spec: EnvironmentSpec) -> Request:
    """The uv request for ``spec``, without the lines that ``problems`` reports."""
    conda = pypi_names.translate(spec.conda)
    lines = [*spec.pip_options, *(line for line in spec.pip if line.startswith("-"))]
    missing = [line for line in lines if _is_missing_folder(line)]
    options, flags = _options([line for line in lines if line not in missing])
    required, notes = _without_stand_ins([*conda.requirements, *_requirements(spec.pip)])
    names = {dependency_paths.requirement_name(line) for line in required}
    return Request(
        python=spec.python or conda.python,
        lines=required,
        options=options,
        flags=flags,
        notes=(
            *conda.notes,
            *notes,
            *(f"{line}: ignored, there is no such folder" for line in missing),
        ),
        brought=tuple(
            line for line in spec.brought if dependency_paths.requirement_name(line) not in names
        ),
        uv=spec.uv,
    )


def _without_stand_ins(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``lines`` with the packages that the empty ones stand for, and notes about it.

    A version of the empty package is ignored, unless the package had releases with content.
    """
    kept, notes = dict.fromkeys(lines), []
    for line in lines:
        match = re.fullmatch(r"([\w.-]+)(\s*==\s*0\.0(?:\.post\d+)?)?", line)
        package = _STAND_INS.get(site_packages.normal(match[1])) if match else None
        if package is None:
            continue
        del kept[line]
        if not any(dependency_paths.requirement_name(other) == package for other in kept):
            kept[package] = None
        notes.append(f"{line}: an empty package, replaced by {package}.")
    return tuple(kept), tuple(notes)


def problems(spec: EnvironmentSpec) -> list[str]:
    """All problems with ``spec`` that are known without resolving it."""
    conda = pypi_names.translate(spec.conda)
    requested_python = spec.python or conda.python
    messages = [pypi_names.unknown_packages_problem(conda.unknown)] if conda.unknown else []
    messages += list(conda.problems)
    if not (
        spec.pins != EXACT and _is_python_3(requested_python)
    ) and interpreter_discovery.missing(requested_python):
        messages += filter(None, [interpreter_download.unobtainable_problem(requested_python)])
    for line in (*spec.pip, *spec.pip_options, *_index_options(spec.uv)):
        if re.search("[\0\ud800-\udfff]", line):
            messages.append(f"requirement {line!r} contains a NUL or a lone surrogate")
        else:
            messages += _line_problems(line, any_version=spec.pins != EXACT)
    return messages


def all_hashed(locked: str) -> bool:
    """Whether every locked requirement has a hash; repositories and folders have none."""
    lines = locked.replace("\\\n", " ").splitlines()
    return all("--hash=" in line for line in lines if line.strip() and not line.startswith("#"))


def _is_python_3(requested: str | None) -> bool:
    """Whether it is a Python 3, so that relaxing may use another one."""
    return (interpreter_discovery.parse(requested or "") or (0,))[0] == 3


def _requirements(lines: tuple[str, ...]) -> list[str]:
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#") and not _is_option(line)]


def _is_option(line: str) -> bool:
    return line.startswith("-") and not line.startswith(("-e", "--editable"))


def _options(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines for the requirements file, and arguments for options that uv ignores there."""
    option_lines: list[str] = []
    flags: list[str] = []
    for line in (_strip_quotes(line.strip()) for line in lines):
        word, _, value = line.replace("=", " ", 1).partition(" ")
        if word == "--pre":
            flags += ["--prerelease", "allow"]
        elif word == "--trusted-host":
            flags += ["--allow-insecure-host", value.strip()]
        elif word == "--index-strategy":
            flags += [word, value.strip()]
        elif word == "--no-deps":
            flags.append(word)
        elif word != "--prefer-binary" and _is_option(line):
            option_lines.append(line)
    if "--index-strategy" not in flags and any(
        o.startswith("--extra-index-url") for o in option_lines
    ):
        flags += ["--index-strategy", "unsafe-best-match"]  # pip's behavior
    return tuple(dict.fromkeys(option_lines)), tuple(flags)


def _is_missing_folder(line: str) -> bool:
    """Whether ``line`` is an option for wheels in a folder that is not there: pip ignores it."""
    match = re.match(r"(?:-f|--find-links)[ =]*(/.*)", _strip_quotes(line.strip()))
    return match is not None and not os.path.exists(match[1])


def _strip_quotes(line: str) -> str:
    """An option line without the quotes around its value, as pip's own parser reads it."""
    return line.replace('"', "").replace("'", "") if _is_option(line) else line


def _pairs(flags: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each flag with its value, if it has one."""
    pairs: list[tuple[str, ...]] = []
    for word in flags:
        if word.startswith("--") or not pairs:
            pairs.append((word,))
        else:
            pairs[-1] += (word,)
    return pairs


def _index_options(uv: Json) -> list[str]:
    """The indexes in a ``[tool.uv]`` table as pip option lines."""
    options = [
        ("--index-url " if index.get("default") else "--extra-index-url ") + str(index.get("url"))
        for index in uv.get("index") or ()
    ]
    options += [f"--index-url {uv['index-url']}"] if uv.get("index-url") else []
    options += [f"--extra-index-url {url}" for url in uv.get("extra-index-url") or ()]
    return options + [f"--find-links {path}" for path in uv.get("find-links") or ()]


def _line_problems(line: str, any_version: bool) -> list[str]:
    line = line.strip()
    names = index_credentials.secret_names(line) if "${secret:" in line else []
    missing = [name for name in names if not vault.exists(name)]
    if missing:
        return [
            f"requirement {line!r} uses the secret {missing_name!r}, which does not exist; run: "
            f"scriptrun secret set {missing_name}"
            for missing_name in missing
        ]
    if any(login.is_secret for login in url_logins.find(line)):
        shown = url_logins.mask(line)
        return [
            f"requirement {shown!r} contains a password; store it as a secret "
            "(scriptrun secret set NAME) and use ${secret:NAME}, or use a variable: ${NAME}"
        ]
    if line and not re.match(_FIRST_CHARACTER, line):
        return [
            f"invalid requirement {line!r}: it starts with {line[0]!r}; "
            f"{requirement_syntax.EXAMPLES}"
        ]
    if re.match(_SCP_ADDRESS, line):
        address = line.removeprefix("git+").replace(":", "/", 1)
        return [f"requirement {line!r} is not a URL; use git+ssh://{address}"]
    if re.match(_RELATIVE_PATH, line):
        return [f"requirement {line!r} is a relative path; use an absolute path or a URL"]
    is_option = _is_option(line)
    return _option_problems(line) if is_option else _requirement_problems(line, any_version)


def _option_problems(line: str) -> list[str]:
    word = re.match(_OPTION, line)
    if word is None or word[0] not in _KNOWN_OPTIONS:
        return [f"unsupported option in requirement {line!r}; remove it"]
    return []


def _requirement_problems(line: str, any_version: bool) -> list[str]:
    options = re.findall(r"\s(--(?!hash\b)[a-z-]+)", line)
    if options:
        return [f"unsupported option {options[0]} in requirement {line!r}; remove it"]
    reason = requirement_syntax.problem(line, any_version)
    if reason:
        return [f"invalid requirement {line!r}: {reason}"]
    path = local_sources.path_of(line) if "/" in line else None
    if path and "${" not in path and not os.path.exists(path):
        return [f"requirement {line!r}: {path!r} does not exist"]
    return []
