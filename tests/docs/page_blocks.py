"""Reads a page of documentation as the steps that its fenced blocks ask for.

The convention is described in CONTRIBUTING.md, "The documentation is run".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = ("python", "py")
SHELL = ("sh", "bash", "shell")
CONSOLE = ("console", "shell-session")
COMMENT = re.compile(
    r"<!--\s*(not run|file|files|fails|compare|installs):?\s*(.*?)\s*-->", re.DOTALL
)


@dataclass
class Step:
    """One thing to do: ``kind`` is python, sh, console, file or copy; ``line`` is where it stands."""

    kind: str
    text: str
    line: int
    marks: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict:
        return {"kind": self.kind, "text": self.text, "line": self.line, "marks": self.marks}


def steps_of(path: Path) -> list[Step]:
    """All steps of the page at ``path``, in order; raises ValueError for a mark that marks nothing."""
    from markdown_it import MarkdownIt

    steps, marks, at = [], {}, 0
    for token in MarkdownIt().parse(path.read_text("utf-8")):
        if token.type == "html_block":
            for name, value in COMMENT.findall(token.content):
                if name == "files":
                    steps.append(Step("copy", value, token.map[0] + 1))
                else:
                    marks, at = {**marks, name: value}, token.map[0] + 1
        elif token.type == "fence":
            steps += step_of(token, marks)
            marks = {}
        elif token.type in ("heading_open", "paragraph_open") and marks:
            raise ValueError(f"{path.name}:{at}: a mark must stand right before its block")
    return steps


def step_of(token, marks: dict[str, str]) -> list[Step]:
    """The step of one fenced block, if it is one."""
    if "not run" in marks:
        if not marks["not run"]:
            raise ValueError(f"line {token.map[0]}: 'not run' must give its reason")
        return []
    line = token.map[0] + 2
    if "file" in marks:
        return [Step("file", token.content, line, marks)]
    language = token.info.split()[0].lower() if token.info.split() else ""
    for kind, names in (("python", PYTHON), ("sh", SHELL), ("console", CONSOLE)):
        if language in names:
            return [Step(kind, token.content, line, marks)]
    return []


def commands_of(console: str) -> list[tuple[str, str]]:
    """(command, the output shown) of each ``$`` line of a console block."""
    found: list[list[str]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        elif found:
            found[-1][1] += line + "\n"
    return [(command, output) for command, output in found]


def matches(shown: str, written: str) -> bool:
    """Whether ``written`` is what a page shows, where ``...`` stands for anything."""
    parts = [re.escape(part) for part in shown.strip().split("...")]
    return re.fullmatch("(?s:.*?)".join(parts), written.strip()) is not None
