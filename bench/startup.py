"""How long it takes until something happens: imports, help, and a script's first line."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench import timing

FIRST_LINE = "import time, sys; open(sys.argv[1], 'w').write(str(time.time_ns()))\n"


def measure() -> list[dict[str, object]]:
    """Rows on start-up."""
    with timing.own_places() as place:
        project = Path(place, "project")
        project.mkdir()
        (project / "train.py").write_text(FIRST_LINE)
        (project / "requirements.txt").write_text("six\n")
        return [*imports(), *commands(project), *first_line(project)]


def imports() -> list[dict[str, object]]:
    """``import scriptrun`` over an empty interpreter, beside ``import argparse, dataclasses``."""
    python = str(timing.scriptrun() / "python")

    def running(code: str) -> Callable[[], float]:
        return lambda: 1000 * timing.seconds([python, "-c", code])

    found = timing.alternate(
        {
            "empty": running("pass"),
            "ours": running("import scriptrun"),
            "names": running(
                "from scriptrun import Workspace, Experiment, ScriptRunConfig, Environment"
            ),
            "standard": running("import argparse, dataclasses"),
        },
        repeats=15,
    )
    over = {name: value - found["empty"] for name, value in found.items()}
    against = "import argparse, dataclasses"
    return [
        timing.row("import scriptrun", over["ours"], "ms", against, over["standard"], "30 ms"),
        timing.row("... and the guide's names", over["names"], "ms", against, over["standard"]),
    ]


def commands(project: Path) -> list[dict[str, object]]:
    """``--help`` and ``runs list`` of a workspace with a few runs, beside an empty interpreter."""
    tool = str(timing.scriptrun() / "scriptrun")
    for _ in range(3):
        timing.seconds([tool, "run", "train.py", "--", "out"], cwd=project)

    def running(*command: str) -> Callable[[], float]:
        return lambda: 1000 * timing.seconds(list(command), cwd=project)

    found = timing.alternate(
        {
            "empty": running(str(timing.scriptrun() / "python"), "-c", "pass"),
            "help": running(tool, "--help"),
            "list": running(tool, "runs", "list"),
        }
    )
    names = {"help": "scriptrun --help", "list": "scriptrun runs list"}
    return [
        timing.row(name, found[key], "ms", "python -c pass", found["empty"], "300 ms")
        for key, name in names.items()
    ]


def first_line(project: Path) -> list[dict[str, object]]:
    """From starting the command to the script's first line, its environment being there."""
    ours = str(timing.scriptrun() / "scriptrun")
    python = str(timing.scriptrun() / "python")
    torchx = str(timing.references() / "torchx")
    out = str(project.parent / "first-line")
    inside = [ours, "run", "train.py", "--", out]
    built = [ours, "run", "--requirements", "requirements.txt", "train.py", "--", out]
    other = [torchx, "run", "-s", "local_cwd", "utils.sh", python, "train.py", out]

    def until(command: list[str]) -> Callable[[], float]:
        return lambda: milliseconds_until_first_line(command, project, Path(out))

    found = timing.alternate(
        {
            "plain": until([python, "train.py", out]),
            "inside": until(inside),
            "built": until(built),
            "torchx": until(other),
        },
        repeats=9,
    )
    torch = ("torchx run -s local_cwd utils.sh", found["torchx"], "ratio 0.33")
    plain = ("python train.py", found["plain"])
    return [
        timing.row("scriptrun run, to the first line", found["inside"], "ms", *torch),
        timing.row("... in an environment built before", found["built"], "ms", *torch),
        timing.row("scriptrun run, to the first line", found["inside"], "ms", *plain),
        timing.row("... in an environment built before", found["built"], "ms", *plain),
    ]


def milliseconds_until_first_line(command: list[str], project: Path, out: Path) -> float:
    """From just before ``command`` is started to what the script wrote down at its first line."""
    out.unlink(missing_ok=True)
    began = time.time_ns()
    subprocess.run(
        command,
        cwd=project,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return (int(out.read_text()) - began) / 1e6
