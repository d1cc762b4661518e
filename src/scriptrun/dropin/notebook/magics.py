"""IPython lines in notebook cells: those that scripts depend on run, others are skipped.

``!command`` and the cells ``%%bash`` and ``%%sh`` run in the shell; ``%env``, ``%cd``, ``%pwd`` and
``%matplotlib`` work as in IPython. Installers (``!pip``, ``%conda``, ``!apt-get``) and logins
(``!az``) are skipped with a note: packages installed on this machine are not part of a job's
environment. All other magics are skipped, too.
"""

from __future__ import annotations

import os
import re
import sys

from scriptrun.dropin import one_time_notes
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
else:
    subprocess = later("subprocess")

#: cell magics whose cell is plain Python, and those whose cell is a shell script
TRANSPARENT, SHELLS = ("time", "timeit", "capture", "prun"), ("bash", "sh")
#: line magics followed by options and a Python statement
STATEMENT = re.compile(r"%(?:time|timeit|prun|memit)\s+(?:-\w+(?:\s+\d+)?\s+)*(?P<statement>.+)")
#: programs that would change this machine or log in somewhere; they are skipped
_SKIPPED_PROGRAMS = ("pip", "pip3", "conda", "mamba", "apt", "apt-get", "az", "jupyter", "sudo")
_MODULES = re.compile(r"\S+ -m (pip|conda|jupyter|ipykernel)\b")
_VARIABLE = re.compile(r"\$(?P<plain>[A-Za-z_]\w*)|\$?\{(?P<inner>[A-Za-z_][^{}\n]*)\}")

#: the variables of a notebook
Namespace = dict[str, object]


def run_line(text: str, name: str, namespace: Namespace, capture: bool = False) -> object:
    """Run the line ``text``, which begins with ``!`` or ``%``, of the notebook ``name``.

    With ``capture`` (``x = !command``) the command's output is not shown but returned as a list of
    lines.
    """
    if text.startswith("!"):
        return _run_shell(substitute(text.lstrip("!"), namespace), text, name, capture)
    word, _, rest = text[1:].strip().partition(" ")
    rest = substitute(rest.strip(), namespace)
    if word in ("env", "set_env") and rest:
        key, _, value = rest.replace("=", " ", 1).partition(" ")
        os.environ[key] = value.strip()
    elif word == "cd" and rest:
        os.chdir(os.path.expanduser(rest.strip("'\"")))
    elif word == "pwd":
        return os.getcwd()
    elif word == "matplotlib":
        os.environ.setdefault("MPLBACKEND", "agg")  # draw plots without opening windows
    else:
        note_skipped(text, name)
    return None


def script(word: str, text: str, name: str) -> None:
    """Run ``text`` in the shell ``word``, as a ``%%bash`` cell does."""
    sys.stdout.flush()
    result = subprocess.run([word], input=text, text=True, check=False)
    _note_failure(f"%%{word}", result.returncode, name)


def substitute(text: str, namespace: Namespace) -> str:
    """Fill in ``$name`` and ``{expression}`` as IPython does; ``$$`` is a dollar sign."""
    return "$".join(
        _VARIABLE.sub(lambda match: _evaluate(match, namespace), part) for part in text.split("$$")
    )


def note_skipped(text: str, name: str) -> None:
    """Print a note that the line was skipped."""
    one_time_notes.say(f"{os.path.basename(name)}: skipped {text}")


def _evaluate(match: re.Match[str], namespace: Namespace) -> str:
    try:
        return str(eval(match["plain"] or match["inner"], namespace))
    except Exception:  # leave it to the shell, as $HOME or ${x%.*}
        return match[0]


def _run_shell(command: str, text: str, name: str, capture: bool) -> list[str] | None:
    first = os.path.basename(command.split(maxsplit=1)[0]) if command.strip() else ""
    if not first or first in _SKIPPED_PROGRAMS or _MODULES.match(command.strip()):
        note_skipped(text, name)
        return [] if capture else None
    sys.stdout.flush()
    stdout = subprocess.PIPE if capture else None
    result = subprocess.run(command, shell=True, stdout=stdout, text=True, check=False)
    _note_failure(text, result.returncode, name)
    return result.stdout.splitlines() if capture else None


def _note_failure(text: str, code: int, name: str) -> None:
    if code:
        one_time_notes.say(f"{os.path.basename(name)}: {text} exited with code {code}")
