"""Writes manual pages from the help: ``python tools/man_pages.py FOLDER``.

``scriptrun.1`` describes the command as a whole, ``scriptrun-NAME.1`` each of its commands. The
wheel has them in ``share/man/man1``, where ``man`` finds them beside the installed command.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: what begins a paragraph of examples in the help
EXAMPLES = "examples:"
EXIT_CODES = {
    "0": "Done.",
    "1": "The job, or a check, failed.",
    "2": "Invalid usage, or a job that was refused before it started.",
    "3": "The compute target refused the job.",
    "70": "A bug in scriptrun. The output names a report to attach to an issue.",
    "130": "Interrupted with Ctrl-C.",
}


def pages() -> dict[str, str]:
    """The text of each manual page, by file name."""
    sys.path.insert(0, str(ROOT / "src"))
    try:
        import scriptrun
        from scriptrun.cli import commands, dispatch
    finally:
        sys.path.remove(str(ROOT / "src"))
    version = scriptrun.__version__
    found = {"scriptrun.1": overview(commands, version)}
    for name, command in commands.COMMANDS.items():
        parser = dispatch.parser_of(name)
        found[f"scriptrun-{name}.1"] = page(name, command.line, parser, version)
    return found


def overview(commands, version: str) -> str:
    """The page of ``scriptrun`` itself."""
    lines = [
        *head("scriptrun", version, "run training jobs and keep a record of them"),
        *synopsis("usage: scriptrun COMMAND ..."),
        ".SH DESCRIPTION",
        "Describe a training job once, run it anywhere, and keep a record of it.",
        "See the manual page or the \\fB\\-\\-help\\fR of each command.",
    ]
    for title, group in (("RUN COMMANDS", commands.RUNS), ("OTHER COMMANDS", commands.OTHERS)):
        lines.append(f".SH {title}")
        for name, command in group.items():
            lines += [".TP", f"\\fBscriptrun\\-{escape(name)}\\fR(1)", text(f"{command.line}.")]
    lines += [".SH OPTIONS", ".TP", "\\fB\\-\\-no\\-fsync\\fR"]
    lines.append("Do not wait for the disk. A power cut may lose what was written.")
    lines += [".TP", "\\fB\\-\\-version\\fR", "Print the version."]
    return finish([*lines, *exit_status()])


def page(name: str, line: str, parser: argparse.ArgumentParser, version: str) -> str:
    """The page of one command, with all its subcommands."""
    prose, examples = split(parser.epilog or "")
    lines = [
        *head(f"scriptrun-{name}", version, line),
        *synopsis(parser.format_usage()),
        ".SH DESCRIPTION",
        text(f"{line}."),
        *(part for paragraph in prose for part in (".PP", *verbatim(paragraph))),
    ]
    verbs = subcommands(parser)
    options = [*arguments(parser)]
    lines += [".SH OPTIONS", *options] if options else []
    if verbs:
        lines.append(".SH COMMANDS")
    for verb, sub in verbs.items():
        lines += [f".SS {escape(verb)}", *usage(sub.format_usage())]
        for paragraph in filter(None, [sub.description, sub.epilog]):
            lines += [".PP", text(str(paragraph))]
        lines += arguments(sub)
    if examples:
        lines += [".SH EXAMPLES", ".nf", *map(escape_line, examples), ".fi"]
    return finish([*lines, *exit_status(), ".SH SEE ALSO", "\\fBscriptrun\\fR(1)"])


def head(title: str, version: str, line: str) -> list[str]:
    """The page's name and the line that ``whatis`` shows."""
    name = escape(title)
    footer = f'"{released(version)}" "scriptrun {version}" "scriptrun manual"'
    return [
        f'.TH "{name.upper()}" "1" {footer}',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{name} \\- {text(line)}",
    ]


def released(version: str) -> str:
    """The day of the release, from the changelog; "" before it."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heading = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", changelog, re.MULTILINE)
    return heading[1] if heading else ""


def synopsis(usage_text: str) -> list[str]:
    """The section with the usage."""
    return [".SH SYNOPSIS", *usage(usage_text)]


def usage(usage_text: str) -> list[str]:
    """The usage, one line for each way to call the command."""
    joined = re.sub(r"\s+", " ", usage_text.removeprefix("usage: "))
    calls = re.split(r" (?=scriptrun )", joined.strip())
    return [line for call in calls for line in (f"\\fB{escape(call)}\\fR", ".br")][:-1]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The subcommands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Each argument and option with its help."""
    formatter = argparse.HelpFormatter(parser.prog, width=100)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        yield from (".TP", f"\\fB{escape(formatter._format_action_invocation(action))}\\fR")
        yield text(formatter._expand_help(action) if action.help else "")


def split(epilog: str) -> tuple[list[str], list[str]]:
    """The paragraphs of the help's text, and the lines of its examples."""
    prose, examples = list[str](), list[str]()
    for paragraph in filter(None, re.split(r"\n\s*\n", epilog)):
        first, _, rest = paragraph.partition("\n")
        if first.strip() == EXAMPLES:
            examples += rest.split("\n")
        else:
            prose.append(paragraph)
    return prose, examples


def verbatim(paragraph: str) -> list[str]:
    """A paragraph of prose, or a table as it is."""
    if "  " in paragraph:
        return [".nf", *map(escape_line, paragraph.split("\n")), ".fi"]
    return [text(paragraph)]


def exit_status() -> list[str]:
    """The exit codes of all commands."""
    lines = [".SH EXIT STATUS"]
    for code, meaning in EXIT_CODES.items():
        lines += [".TP", f"\\fB{code}\\fR", meaning]
    return lines


def text(words: str) -> str:
    """Prose, on one line."""
    return escape_line(" ".join(words.split()))


def escape_line(line: str) -> str:
    """A line that is no request of roff."""
    escaped = escape(line)
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def escape(words: str) -> str:
    """Text as roff reads it: its minus signs can be copied and searched."""
    return words.replace("\\", "\\e").replace("-", "\\-")


def finish(lines: list[str]) -> str:
    """The page; roff takes no empty lines."""
    return "\n".join(line for line in lines if line) + "\n"


def write(folder: Path) -> None:
    """Write all pages into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (folder / name).write_text(content, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
