"""Conda environments: solved and installed from a channel on disk, beside bare py-rattler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench import timing
from bench.environments import BUILD, FIND, fresh

PACKAGES = ("pin", "green=1.0=fast_0", "tool")

#: a small environment, and one as people train in
SIZES = (("Python alone", PACKAGES), ("with numpy, pandas and pyarrow", (*PACKAGES, "science")))

#: this machine's own numpy, pandas and pyarrow as a package of the channel
ADD = """
import importlib.util, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import channel
files = {}
for name in ("numpy", "numpy.libs", "pandas", "pyarrow"):
    site = Path(importlib.util.find_spec("numpy").origin).parents[1]
    for path in (site / name).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            files[f"lib/python{channel.MINOR}/site-packages/{path.relative_to(site)}"] = path
channel.package(Path(sys.argv[2]), "science", "1.0", files, ["python"])
channel.index(Path(sys.argv[2]))
os._exit(0)
"""

BARE = """
import time
began = time.perf_counter()
import asyncio, os, sys
import rattler
channel, place, *specs = sys.argv[1:]
python = "python {}.{}.*".format(*sys.version_info)
async def main():
    records = await rattler.solve(
        sources=[rattler.Channel(channel)],
        specs=[rattler.MatchSpec(each) for each in (*specs, python)],
        gateway=rattler.Gateway(cache_dir=place + "/cache/repodata"),
        virtual_packages=[each.into_generic() for each in rattler.VirtualPackage.detect()],
    )
    await rattler.install(
        records,
        target_prefix=place + "/prefix",
        cache_dir=place + "/cache/pkgs",
        show_progress=False,
    )
asyncio.run(main())
print(time.perf_counter() - began, flush=True)
os._exit(0)
"""


def measure() -> list[dict[str, object]]:
    """Rows on conda environments."""
    python = str(timing.scriptrun("conda") / "python")
    with timing.own_places(memory=True) as place:
        channel = place / "channel"
        maker = timing.ROOT / "ci" / "conda" / "channel.py"
        subprocess.run([sys.executable, maker, channel], check=True)
        subprocess.run([sys.executable, "-c", ADD, maker.parent, channel], check=True)
        rows = [cold(place, python, channel.as_uri(), *each) for each in SIZES]
        return [*rows, warm(place, python, channel.as_uri())]


def cold(
    place: Path, python: str, channel: str, size: str, packages: tuple[str, ...]
) -> dict[str, object]:
    """Nothing cached; medians of seven, taking turns. Each side is a process, imports included."""

    def bare() -> float:
        words = [python, "-c", BARE, channel, str(fresh(place / "bare")), *packages]
        return float(subprocess.check_output(words, text=True))

    sides = {"ours": lambda: ours(fresh(place / "ours"), python, channel, packages), "bare": bare}
    found = timing.alternate(sides, 7)
    name = f"solve and install from a local channel, {size}"
    return timing.row(name, found["ours"], "s", "py-rattler, bare", found["bare"], "ratio 1.2")


def warm(place: Path, python: str, channel: str) -> dict[str, object]:
    """Finding a prefix that is there, beside an empty interpreter; medians of fifteen."""
    home = fresh(place / "warm")
    ours(home, python, channel, PACKAGES)
    command = [python, "-c", FIND, request(channel, PACKAGES), str(home / "locks")]
    figures = sorted(json.loads(subprocess.check_output(command, text=True)) for _ in range(15))
    empty = sorted(timing.seconds([python, "-c", "pass"]) for _ in range(15))[7]
    alone = sorted(figure[1] for figure in figures)[7]
    return timing.row(
        "cached prefix found", 1000 * alone, "ms", "python -c pass", 1000 * empty, "20 ms"
    )


def ours(place: Path, python: str, channel: str, packages: tuple[str, ...]) -> float:
    """Seconds that ``ensure`` takes, its imports included."""
    os.environ["SCRIPTRUN_CACHE"] = str(place / "cache")
    os.environ["RATTLER_CACHE_DIR"] = str(place / "rattler")
    command = [python, "-c", BUILD, request(channel, packages), str(place / "locks")]
    return float(subprocess.check_output(command, text=True))


def request(channel: str, packages: tuple[str, ...]) -> str:
    """The request as JSON."""
    return json.dumps({"kind": "conda", "conda": packages, "channels": [channel]})
