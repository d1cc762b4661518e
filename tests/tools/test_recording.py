"""./dev recording: what a terminal shows becomes a drawing that needs nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def load():
    specification = importlib.util.spec_from_file_location(
        "recording_tool", ROOT / "tools" / "recording.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


tool = load()


def drawn(*events: tuple[float, str]) -> ET.Element:
    return ET.fromstring(tool.drawing(tool.cast_of([tool.Event(*each) for each in events])))


def lines_of(drawing: ET.Element) -> list[list[str]]:
    """The lines of each picture of the film."""
    rows = {
        f"#{each.get('id')}": " ".join("".join(text.itertext()) for text in each)
        for each in drawing.find(f"{SVG}defs")
    }
    film = drawing.find(f".//{SVG}g[@class='film']")
    return [[rows[use.get("href")] for use in picture] for picture in film]


def test_a_picture_for_each_change():
    events = (0.0, "$ "), (1.0, "a"), (2.0, "a\r\n\x1b[32mdone\x1b[0m <&>\r\n"), (3.0, "")
    cursor = "\N{FULL BLOCK}"
    assert lines_of(drawn(*events)) == [
        [f"$ {cursor}"],
        [f"$ a {cursor}"],
        ["$ aa", "done <&>", cursor],
    ]


def test_colors_and_columns_are_kept():
    drawing = drawn((0.0, "\x1b[1mRUN\x1b[0m     \x1b[31mFailed\x1b[0m"), (1.0, ""))
    first, second, _ = drawing.find(f".//{SVG}defs/{SVG}g")
    assert (first.get("class"), second.get("class")) == ("b", "red")
    assert float(second.get("x")) == pytest.approx(8 * tool.WIDTH)


def test_a_cleared_screen_starts_over():
    pictures = lines_of(drawn((0.0, "old\r\n"), (1.0, tool.CLEAR + "new"), (2.0, "")))
    assert [picture[0].split()[0] for picture in pictures] == ["old", "new"]


def test_the_cast_is_an_asciicast():
    events = [tool.Event(0.5, "x"), tool.Event(1.25, "\x1b[0m\r\n")]
    header, *rest = map(json.loads, tool.cast_of(events).splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, tool.COLUMNS, tool.ROWS)
    assert rest == [[0.5, "o", "x"], [1.25, "o", "\x1b[0m\r\n"]]
    assert tool.events_of(tool.cast_of(events)) == events


def test_a_command_is_recorded_in_a_terminal(tmp_path):
    lines = [text for _, text in tool.shown("test -t 1 && echo yes; echo $COLUMNS; pwd", tmp_path)]
    assert lines == ["yes\r\n", f"{tool.COLUMNS}\r\n", f"{tmp_path}\r\n"]


def test_paths_ids_and_dates_are_examples(tmp_path):
    first, second = "demo_1796116968_8d7fa001", "demo_1796116968_6cc00001"
    text = f"{tmp_path}/demo/.scriptrun/runs/2031-12-24/{first} {second} demo_1796116968_6"
    (event,) = tool.neutral([tool.Event(0, text)], tmp_path)
    path, other, prefix = event.text.split()
    example = re.fullmatch(r"~/demo/.scriptrun/runs/2026-01-01/(demo_\d{10}_[0-9a-f]{8})", path)
    assert example
    assert example[1] not in (first, other)
    assert other != second
    assert other.startswith(prefix)
    assert len(prefix) == len("demo_1796116968_6")


def test_a_path_of_this_machine_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="recording shows"):
        tool.neutral([tool.Event(0, f"{Path.home()}/secret")], tmp_path)


def test_the_recording_is_the_drawing_of_its_cast():
    assert tool.DRAWING.read_text("utf-8") == tool.drawing(tool.CAST.read_text("utf-8"))


def test_the_recording_needs_nothing_else_and_is_small():
    text = tool.DRAWING.read_text("utf-8")
    drawing = ET.fromstring(text)
    names = {each.tag.removeprefix(SVG) for each in drawing.iter()}
    assert names <= {"svg", "title", "style", "defs", "g", "rect", "path", "circle", "text", "use"}
    links = [use.get("href") for use in drawing.iter(f"{SVG}use")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\(|@import|@font-face|\son\w+=", text)
    assert len(text.encode()) < 200_000


def test_the_recording_shows_the_session():
    seen = {
        line for picture in lines_of(ET.fromstring(tool.DRAWING.read_text())) for line in picture
    }
    for group in tool.SESSION:
        for command in group:
            assert f"~/demo $ {command}" in seen
