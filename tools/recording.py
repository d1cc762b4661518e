"""``./dev recording``: records the terminal session that README.md and the site show.

It runs the commands of ``SESSION`` in a new terminal, in a directory with the ``train.py`` of
README.md, and writes docs/assets/recording.cast and recording.svg. The first is an asciicast v2
file (https://docs.asciinema.org/manual/asciicast/v2/): a header, then one line of JSON per event,
[seconds, "o", text]. ``asciinema play`` plays it. The second is an animated drawing of it, without
scripts, fonts or images from other files. ``--draw`` only draws it again.

Typing has a fixed pace, and long waits are shortened. Example paths, IDs and dates replace those of
the session, so that the recording does not show whose machine made it.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import pexpect
import pyte

ROOT = Path(__file__).resolve().parent.parent
CAST = ROOT / "docs" / "assets" / "recording.cast"
DRAWING = CAST.with_suffix(".svg")
COLUMNS, ROWS = 98, 24
NEWLINE = "\n"
#: what is typed; each group begins on an empty screen
SESSION = (
    (
        "scriptrun run -n slow train.py -- --lr 0.02",
        "scriptrun run -n fast train.py -- --lr 0.1",
        "scriptrun run --detach -n wild train.py -- --lr 1.5",
        "scriptrun wait",
    ),
    ("scriptrun list", "scriptrun best loss"),
    ("scriptrun metrics fast loss --plot --with slow",),
    ("scriptrun diff slow fast", "scriptrun rerun best:loss -n faster -- --lr 0.3"),
)
#: an ID of a run
ID = re.compile(r"\bdemo_\d{10}_[0-9a-f]{8}\b")
PROMPT = "\x1b[1;34m~/demo\x1b[0m $ "
CLEAR = "\x1b[H\x1b[2J"
#: seconds: between two keys, before Enter, the longest wait for output, and to read what came
KEY, ENTER, WAIT, READ = 0.045, 0.35, 0.6, 3.0
#: a picture for each of these seconds at most
FRAME = 0.08
#: pixels: a character and a line of the drawing, and its border
WIDTH, HEIGHT, BORDER, BAR = 8.4, 18, 14, 30
STYLE = """
svg{--page:#0d1117;--edge:#2d333b;--text:#e6edf3;--red:#ff7b72;--green:#56d364;--yellow:#e3b341;
--blue:#79c0ff;--magenta:#d2a8ff;--cyan:#56d4dd;--faint:#8b949e}
@media(prefers-color-scheme:light){svg{--page:#fff;--edge:#d8dee4;--text:#1f2328;--red:#cf222e;
--green:#116329;--yellow:#7d4e00;--blue:#0550ae;--magenta:#6639ba;--cyan:#1b7c83;--faint:#59636e}}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;
fill:var(--text);white-space:pre}
.b{font-weight:bold}.red{fill:var(--red)}.green{fill:var(--green)}.yellow{fill:var(--yellow)}
.blue{fill:var(--blue)}.magenta{fill:var(--magenta)}.cyan{fill:var(--cyan)}.faint{fill:var(--faint)}
"""
COLORS = {
    **{name: name for name in ("red", "green", "blue", "magenta", "cyan")},
    **{f"bright{name}": name for name in ("red", "green", "blue", "magenta", "cyan")},
    "brown": "yellow",
    "brightbrown": "yellow",
    "brightblack": "faint",
}


class Event(NamedTuple):
    """Text that the terminal showed, so many seconds after the start."""

    at: float
    text: str


class Piece(NamedTuple):
    """Neighboring characters of a line in one style; ``column`` is that of the first."""

    column: int
    text: str
    style: str


Picture = tuple[tuple[Piece, ...], ...]


def main(arguments: list[str]) -> int:
    """Record and draw the session."""
    parser = argparse.ArgumentParser(
        prog="./dev recording", description="Record the README's session."
    )
    parser.add_argument("--draw", action="store_true", help="only draw the recording again")
    if not parser.parse_args(arguments).draw:
        CAST.parent.mkdir(exist_ok=True)
        CAST.write_text(cast_of(record()), "utf-8")
    DRAWING.write_text(drawing(CAST.read_text("utf-8")), "utf-8")
    print(f"Wrote {CAST.relative_to(ROOT)} and {DRAWING.name} ({DRAWING.stat().st_size >> 10} KiB)")
    return 0


def record() -> list[Event]:
    """What a terminal shows while somebody types the session."""
    with tempfile.TemporaryDirectory(prefix="scriptrun-recording-") as place:
        home = Path(place).resolve()
        folder = home / "demo"
        folder.mkdir()
        (folder / "train.py").write_text(script(), "utf-8")
        events: list[Event] = []
        for group in SESSION:
            events.append(Event(end(events), CLEAR + PROMPT))
            for command in group:
                events += typed(command, end(events) + READ / 3)
                start = end(events)
                events += [Event(start + at, text) for at, text in shown(command, folder)]
                events.append(Event(end(events), PROMPT))
            events.append(Event(end(events) + READ, ""))
    return neutral(events, home)


def script() -> str:
    """The train.py of README.md."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"<!-- file: train.py -->\n```python\n(.*?)```", readme, re.DOTALL)
    if found is None:
        sys.exit("README.md has no train.py.")
    return found[1]


def end(events: list[Event]) -> float:
    """When the last event happened."""
    return events[-1].at if events else 0.0


def typed(command: str, start: float) -> Iterator[Event]:
    """The keys of a command, and Enter."""
    for number, key in enumerate(command):
        yield Event(start + number * KEY, key)
    yield Event(start + len(command) * KEY + ENTER, "\r\n")


def shown(command: str, folder: Path) -> Iterator[tuple[float, str]]:
    """(seconds, lines) that a command shows; what it waits for is shortened."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SCRIPTRUN_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "SCRIPTRUN_CACHE": str(folder.parent / "cache"),
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }
    environ.pop("NO_COLOR", None)
    size = (ROWS, COLUMNS)
    child = pexpect.spawn(
        "/bin/sh", ["-c", command], cwd=folder, env=environ, dimensions=size, encoding="utf-8"
    )
    at, before = 0.0, time.monotonic()
    while line := child.readline():
        now = time.monotonic()
        at, before = at + min(now - before, WAIT), now
        yield at, line


def neutral(events: Iterable[Event], home: Path) -> list[Event]:
    """``events`` with examples in place of the machine's paths and the session's IDs and dates."""
    whole = "".join(event.text for event in events)
    ids = {
        name: f"demo_{1767258000 + 7 * number}_{0x9E3779B1 * (number + 1) % 2**32:08x}"
        for number, name in enumerate(dict.fromkeys(ID.findall(whole)))
    }

    def example(found: re.Match) -> str:
        return next((new for old, new in ids.items() if old.startswith(found[0])), "")[
            : len(found[0])
        ]

    replaced = []
    for event in events:
        text = event.text.replace(str(home), "~")
        text = re.sub(r"\bdemo_\d{5,10}(_[0-9a-f]{1,8})?\b", example, text)
        replaced.append(Event(event.at, re.sub(r"\b20\d\d-\d\d-\d\d\b", "2026-01-01", text)))
    shown = "".join(event.text for event in replaced)
    for private in (
        str(Path.home()),
        tempfile.gettempdir(),
        getpass.getuser(),
        socket.gethostname(),
    ):
        if private in shown:
            sys.exit(f"Not written: the recording shows {private!r}.")
    return replaced


def cast_of(events: list[Event]) -> str:
    """The asciicast v2 file of ``events``."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "scriptrun: a first session"}
    lines: list[object] = [header, *([round(each.at, 3), "o", each.text] for each in events)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def events_of(cast: str) -> list[Event]:
    """The output of an asciicast v2 file."""
    _, *lines = map(json.loads, cast.splitlines())
    return [Event(at, text) for at, kind, text in lines if kind == "o"]


def drawing(cast: str) -> str:
    """The animated SVG of a cast."""
    header = json.loads(cast.splitlines()[0])
    events = events_of(cast)
    frames = pictures(events, header["width"], header["height"])
    inner = header["width"] * WIDTH, header["height"] * HEIGHT
    outer = inner[0] + 2 * BORDER, inner[1] + 2 * BORDER + BAR
    rows = list(dict.fromkeys(row for _, picture in frames for row in picture if row))
    numbers = {row: number for number, row in enumerate(rows)}
    shots = "\n".join(
        shot(picture, number * outer[0], numbers) for number, (_, picture) in enumerate(frames)
    )
    times = [at for at, _ in frames]
    style = STYLE + motion(times, end(events), outer[0], fullest(frames))
    lines = (f'<g id="r{numbers[row]}">{"".join(map(markup, row))}</g>' for row in rows)
    dots = "".join(f'<circle cx="{18 * each}" cy="{BAR / 2:g}" r="5"/>' for each in (1, 2, 3))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{outer[0]:g}" height="{outer[1]:g}" \
viewBox="0 0 {outer[0]:g} {outer[1]:g}" role="img">
<title>{escape(header["title"])}</title>
<style>{style}</style>
<defs>
{NEWLINE.join(lines)}
</defs>
<rect width="100%" height="100%" rx="8" fill="var(--edge)"/>
<path d="{window(*outer)}" fill="var(--page)"/>
<g fill="var(--faint)">{dots}</g>
<svg x="{BORDER}" y="{BAR + BORDER / 2:g}" width="{inner[0]:g}" height="{inner[1] + BORDER:g}">
<g class="film">
{shots}
</g>
</svg>
</svg>
"""


def window(width: float, height: float) -> str:
    """The path of the screen inside the frame: square at the top, round at the bottom."""
    side, down, around = width - 2, height - BAR - 1, "a7 7 0 0 1-7"
    return f"M1 {BAR}h{side:g}v{down - 7:g}{around} 7h-{side - 14:g}{around}-7z"


def pictures(events: list[Event], columns: int, rows: int) -> list[tuple[float, Picture]]:
    """The screen after each event that changed it; of those in a short time, the last."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)
    found: list[tuple[float, Picture]] = []
    for event in events:
        stream.feed(event.text)
        picture = tuple((*pieces(screen, row), *cursor(screen, row)) for row in range(rows))
        if found and picture == found[-1][1]:
            continue
        if found and event.at - found[-1][0] < FRAME:
            found[-1] = (found[-1][0], picture)
        else:
            found.append((event.at, picture))
    return found


def pieces(screen: pyte.Screen, row: int) -> Iterator[Piece]:
    """A line of the screen: its words, with what is up to one space apart together."""
    line = screen.buffer[row]
    cells = [(line[column].data, style_of(line[column])) for column in range(screen.columns)]
    start = 0
    while start < len(cells):
        stop = start + 1
        while stop < len(cells) and cells[stop][1] == cells[start][1]:
            stop += 1
        text = "".join(data for data, _ in cells[start:stop])
        for words in re.finditer(r"\S+(?: \S+)*", text):
            yield Piece(start + words.start(), words[0], cells[start][1])
        start = stop


def cursor(screen: pyte.Screen, row: int) -> Iterator[Piece]:
    """The cursor, if it is in this line."""
    if screen.cursor.y == row:
        yield Piece(screen.cursor.x, "\N{FULL BLOCK}", "faint")


def style_of(cell: pyte.screens.Char) -> str:
    """The classes of a character."""
    return " ".join(filter(None, ("b" if cell.bold else "", COLORS.get(cell.fg, ""))))


def markup(piece: Piece) -> str:
    """A piece of a line; ``textLength`` keeps its width in any font."""
    style = f' class="{piece.style}"' if piece.style else ""
    place = f'x="{piece.column * WIDTH:g}" textLength="{len(piece.text) * WIDTH:g}"'
    return f"<text{style} {place}>{escape(piece.text, quote=False)}</text>"


def shot(picture: Picture, left: float, numbers: dict[tuple[Piece, ...], int]) -> str:
    """One picture of the film, which lies to the right of the one before."""
    rows = (
        f'<use href="#r{numbers[row]}" y="{(line + 1) * HEIGHT - 4}"/>'
        for line, row in enumerate(picture)
        if row
    )
    return f'<g transform="translate({left:g})">{"".join(rows)}</g>'


def motion(times: list[float], duration: float, step: float, poster: int) -> str:
    """The rules that move the film; without motion, it shows the picture numbered ``poster``."""
    keys = "".join(
        f"{100 * at / duration:.3f}%{{transform:translateX({-number * step:g}px)}}"
        for number, at in enumerate(times)
    )
    still = f"transform:translateX({-poster * step:g}px)"
    return f""".film{{{still};animation:film {duration:.2f}s step-end infinite}}
@keyframes film{{{keys}}}
@media(prefers-reduced-motion:reduce){{.film{{animation:none}}}}
"""


def fullest(frames: list[tuple[float, Picture]]) -> int:
    """The number of the picture with the most text."""
    sizes = [sum(len(piece.text) for row in picture for piece in row) for _, picture in frames]
    return sizes.index(max(sizes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
