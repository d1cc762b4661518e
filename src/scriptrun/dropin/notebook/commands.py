"""Shell commands in notebooks: which are skipped, and how the others run.

Installers and logins are skipped: a notebook that is run changes no packages of this machine, and
those of a job come from its environment. Queries (``pip list``) run. Docker's commands are skipped
where it cannot be used.
"""

from __future__ import annotations

import codecs
import importlib.util
import os
import re
import shlex
import subprocess
import sys

from scriptrun.dropin.notebook import docker_cells

#: programs that install, and those of their commands that only ask
_INSTALLERS = (
    "pip",
    "pip3",
    "conda",
    "mamba",
    "micromamba",
    "uv",
    "apt",
    "apt-get",
    "easy_install",
)
_QUERIES = (
    "list show freeze check info search config --version -V -h --help help download cache run"
)
_OTHER_SKIPPED = {
    "az": "scriptrun does nothing in Azure",
    "sudo": "this machine is not changed",
    "jupyter": "Jupyter is not used",
    "ipykernel": "Jupyter is not used",
}
_AZURE_REASONS = {
    "az login": "no Azure login is needed",
    "az account": "no Azure login is needed",
    "az ml model deploy": "use `scriptrun serve MODEL --entry FILE`, see `scriptrun serve --help`",
    "az ml service": "use `scriptrun service`, see `scriptrun service --help`",
    "az ml": "the command line of scriptrun is `scriptrun`, see `scriptrun --help`",
}
_MODULE = re.compile(
    r".*?(?:py|python[\d.]*|\})['\"]?\s+-m\s+(?P<rest>(?:pip|conda|uv|jupyter|ipykernel)\b.*)$"
)
_SEPARATOR = re.compile(r"(&&|\|\||[;|\n])")
#: what may precede a command: shell words and variables that are set for it
_BEFORE = re.compile(
    r"(?:\s*(?:[A-Za-z_]\w*=\S*|(?:yes|time|exec|nohup|then|do|else)\b|[({!]))*\s*"
)
_HEREDOC = re.compile(r"<<-?\s*['\"]?(?P<end>\w+)")
_PIP = re.compile(r"\s*pip3?(?=\s+[a-z])")
_AZUREML = re.compile(r"\bazureml(?:[-_.\[]|\b)")


def why_skipped(command: str) -> str | None:
    """Why ``command`` is not run in a notebook; None if it is."""
    for part in _SEPARATOR.split(command)[::2]:
        reason = _why_part_skipped(_BEFORE.sub("", part, count=1).strip())
        if reason is not None:
            return reason
    return None


def _why_part_skipped(part: str) -> str | None:
    module = _MODULE.match(part)
    words = (module["rest"] if module else part).split()
    program = os.path.basename(words[0].strip("'\"")) if words else ""
    if program in _OTHER_SKIPPED and words[1:2] not in (["nbconvert"], ["--version"]):
        commands = (" ".join([program, *words[1:count]]) for count in (4, 3, 2))
        reasons = (_AZURE_REASONS.get(command) for command in commands)
        return next(filter(None, reasons), _OTHER_SKIPPED[program])
    if program in ("docker", "docker-compose"):
        return docker_cells.why_skipped(words)
    if program not in _INSTALLERS or _asks(words[1:]):
        return None
    if words[1:2] in (["activate"], ["deactivate"]):
        return f"the cells run in {sys.executable}"
    if _AZUREML.search(part):
        return "scriptrun provides azureml"
    return f"exec installs nothing; if the notebook needs it, run it yourself for {sys.executable}"


def _asks(words: list[str]) -> bool:
    """Whether an installer's arguments change nothing."""
    if words[:1] in (["env"], ["pip"]):
        words = words[1:]
    first = next((word for word in words if word in _QUERIES.split() or word[:1] != "-"), "list")
    return first in _QUERIES.split() or (first[:1] in "|>&" and bool(first))


def without_skipped(script: str) -> tuple[str, list[str]]:
    """A shell script without the lines that are skipped, and those lines."""
    kept, skipped, heredoc_end = [], list[str](), ""
    for line in re.split(r"(?<!\\)\n", script):
        command = line.replace("\\\n", " ")
        if heredoc_end:  # text that is written, not commands
            heredoc_end = "" if line.strip() == heredoc_end else heredoc_end
        elif why_skipped(command) is not None:
            skipped.append(line.strip())
            kept.append(_replace_skipped(command))
            continue
        elif opening := _HEREDOC.search(line):
            heredoc_end = opening["end"]
        kept.append(line)
    return "\n".join(kept), skipped


def _replace_skipped(line: str) -> str:
    """The line with ``:`` for the commands that are skipped."""
    parts = _SEPARATOR.split(line)
    for index in range(0, len(parts), 2):
        before = _BEFORE.match(parts[index])
        if before and _why_part_skipped(parts[index][before.end() :].strip()) is not None:
            parts[index] = f"{before[0]}:"
    return "".join(parts)


def run(command: str) -> int:
    """Run ``command`` in the shell and return its exit code.

    What it prints goes to sys.stdout, wherever that leads now.
    """
    command = _with_own_pip(command)
    sys.stdout.flush()
    if _is_own_stdout():
        return subprocess.run(command, shell=True, check=False).returncode
    with subprocess.Popen(
        command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            sys.stdout.write(decode(chunk))
        sys.stdout.flush()
    return process.returncode


def output(command: str) -> tuple[list[str], int]:
    """The lines that ``command`` prints, and its exit code."""
    sys.stdout.flush()
    result = subprocess.run(_with_own_pip(command), shell=True, check=False, stdout=subprocess.PIPE)
    return result.stdout.decode("utf-8", "replace").splitlines(), result.returncode


def _with_own_pip(command: str) -> str:
    """Let ``pip`` speak of this Python's packages where its environment has no pip (as uv's)."""
    match = _PIP.match(command)
    if match is None or os.path.exists(os.path.join(os.path.dirname(sys.executable), "pip")):
        return command
    python, rest = shlex.quote(sys.executable), command[match.end() :]
    if importlib.util.find_spec("pip") is not None:
        return f"{python} -m pip{rest}"
    return f"UV_PYTHON={python} {python} -m uv pip{rest}"


def _is_own_stdout() -> bool:
    """Whether a child that inherits stdout writes to where sys.stdout does."""
    try:
        return sys.stdout.fileno() == 1
    except (AttributeError, OSError, ValueError):
        return False
