"""``./dev bench [NAMES]``: runs the benchmarks and writes bench/results.md.

A benchmark is a module beside this one with ``measure()``; NAMES choose some of them.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.md"
NOT_BENCHMARKS = ("__init__", "__main__", "repositories", "timing")


def main(arguments: list[str]) -> int:
    """Run what is asked for; 1 when a benchmark could not be run."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args(arguments).names or names
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(names)}")
    sections, failed = kept_sections(), False
    for name in chosen:
        print(f"== {name}", flush=True)
        try:
            sections[name] = section(name)
        except Exception as problem:  # one that fails must not hide the others' figures
            failed = True
            print(f"{name} could not be measured: {problem!r}", file=sys.stderr)
            continue
        print(sections[name], flush=True)
    text = "\n\n".join(f"## {name}\n\n{sections[name]}" for name in sorted(sections))
    RESULTS.write_text(f"# What was measured\n\n{machine()}\n\n{text}\n", "utf-8")
    print(f"written to {RESULTS.relative_to(HERE.parent)}")
    return int(failed)


def section(name: str) -> str:
    """One benchmark's table."""
    began = time.monotonic()
    rows = importlib.import_module(f"bench.{name}").measure()
    lines = [
        "| what | figure | reference | its figure | ratio | promised |",
        "|---|--:|---|--:|--:|---|",
    ]
    for entry in rows:
        cells = (
            entry["name"],
            figure(entry["value"], entry["unit"]),
            entry["reference_name"],
            figure(entry["reference"], entry["unit"]),
            f"{entry['ratio']:.2f}",
            entry["target"],
        )
        lines.append("| " + " | ".join(cells) + " |")
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "\n".join(lines) + f"\n\nMeasured {today} in {time.monotonic() - began:.0f} s."


def figure(value: float, unit: str) -> str:
    """A number with its unit, to three digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def kept_sections() -> dict[str, str]:
    """The sections of the results that are there, so that one benchmark can be run by itself."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text("utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def machine() -> str:
    """What the figures were taken on."""
    model = processor()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    return (
        f"{platform.system()} {platform.release()}, {model}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB memory, Python {platform.python_version()}, commit {commit}. "
        "Medians; the two sides take turns."
    )


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
