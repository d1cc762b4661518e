"""Environments: a cold build beside the three bare uv commands, and finding one that is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench import timing

REQUIREMENTS = ("scikit-learn", "pandas", "six")

BUILD = """
import time
began = time.perf_counter()
import json, sys
from pathlib import Path
from scriptrun.environments.ensure import ensure
from scriptrun.spec.environment import EnvironmentSpec
spec = EnvironmentSpec.from_dict(json.loads(sys.argv[1]))
ensure(spec, Path(sys.argv[2]), lambda line: None)
print(time.perf_counter() - began)
"""

FIND = """
import json, sys, time
from pathlib import Path
began = time.perf_counter()
from scriptrun.environments.ensure import find
from scriptrun.spec.environment import EnvironmentSpec
spec = EnvironmentSpec.from_dict(json.loads(sys.argv[1]))
loaded = time.perf_counter()
assert find(spec, Path(sys.argv[2])) is not None
print(json.dumps([time.perf_counter() - began, time.perf_counter() - loaded]))
"""

SETTINGS = """
import json
from scriptrun.environments.uv import tool as uv_tool
print(json.dumps([uv_tool.binary(), uv_tool.variables(["pip", "compile"])]))
"""


def measure() -> list[dict[str, object]]:
    """Rows on environments."""
    with timing.own_places(memory=True) as place:
        python = str(timing.scriptrun() / "python")
        return [cold(place, python), *warm(place, python)]


def cold(place: Path, python: str) -> dict[str, object]:
    """Locked and built, everything downloaded, beside uv alone; medians of five, taking turns."""
    uv, variables = json.loads(subprocess.check_output([python, "-c", SETTINGS], text=True))
    found = timing.alternate(
        {
            "ours": lambda: ours(fresh(place / "ours"), python),
            "bare": lambda: bare(fresh(place / "bare"), python, uv, variables),
        }
    )
    name = f"cold build of {', '.join(REQUIREMENTS)}"
    against = "uv venv, uv pip compile, uv pip sync"
    return timing.row(name, found["ours"], "s", against, found["bare"], "ratio 1.15")


def ours(place: Path, python: str) -> float:
    """Seconds that ``ensure`` takes, its imports included."""
    os.environ["SCRIPTRUN_CACHE"] = str(place / "cache")
    os.environ["UV_CACHE_DIR"] = str(place / "uv")
    command = [python, "-c", BUILD, request(), str(place / "locks")]
    return float(subprocess.check_output(command, text=True))


def bare(place: Path, python: str, uv: str, variables: dict[str, str]) -> float:
    """Seconds that the three commands take, one after the other, with the same settings."""
    settings = {**variables, "UV_CACHE_DIR": str(place / "uv")}
    settings.pop("VIRTUAL_ENV", None)
    wanted, locked, made = place / "requirements.in", place / "requirements.txt", place / "made"
    wanted.write_text("\n".join(REQUIREMENTS) + "\n")
    compile_ = [uv, "pip", "compile", "--python", python, "--generate-hashes", wanted, "-o", locked]
    for_sync = {name: value for name, value in settings.items() if name != "UV_CONSTRAINT"}
    sync = [uv, "pip", "sync", "--python", made / "bin" / "python", "--require-hashes", locked]
    began = time.perf_counter()
    for command, seen in (([uv, "venv", "--python", python, made], settings), (compile_, settings)):
        subprocess.run(command, check=True, env=seen, capture_output=True)
    subprocess.run(sync, check=True, env=for_sync, capture_output=True)
    return time.perf_counter() - began


def warm(place: Path, python: str) -> list[dict[str, object]]:
    """Finding an environment that is there, beside an empty interpreter; medians of fifteen."""
    home = fresh(place / "warm")
    ours(home, python)
    command = [python, "-c", FIND, request(), str(home / "locks")]
    figures = sorted(json.loads(subprocess.check_output(command, text=True)) for _ in range(15))
    whole = 1000 * figures[7][0]
    alone = 1000 * sorted(figure[1] for figure in figures)[7]
    empty = sorted(timing.seconds([python, "-c", "pass"]) for _ in range(15))[7]
    against = "python -c pass"
    return [
        timing.row(
            "cached environment found, imports included", whole, "ms", against, 1000 * empty
        ),
        timing.row("cached environment found", alone, "ms", against, 1000 * empty, "20 ms"),
    ]


def request() -> str:
    """The request as JSON."""
    return json.dumps({"kind": "packages", "pip": REQUIREMENTS})


def fresh(place: Path) -> Path:
    """``place``, empty."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place
