"""Writes the generated parts of json.md and exit-codes.md, or with --check compares them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import generated_blocks

from scriptrun.cli import schemas
from scriptrun.cli.help import exit_codes
from scriptrun.cli.schemas import runs, tools, workspaces
from scriptrun.cli.schemas.shapes import Document

REFERENCE = generated_blocks.ROOT / "docs" / "reference"
_WORDS = {"string": "text", "object": "object", "array": "list", "null": "null"}


def _parts_of(shape: dict) -> Iterator[dict]:
    """The shape and all that it is made of."""
    yield shape
    values = [*shape.get("properties", {}).values(), *shape.get("anyOf", ())]
    values += [shape[key] for key in ("items", "additionalProperties") if shape.get(key)]
    for value in values:
        yield from _parts_of(value)


def _titled() -> dict[str, dict]:
    """The objects that have a name, by name, the largest first."""
    whole = (runs.IN_FULL, runs.SWEEP_IN_FULL, runs.PLAN)
    found = {shape["title"]: shape for shape in whole}
    for document in schemas.DOCUMENTS.values():
        for shape in document.properties.values():
            found |= {part["title"]: part for part in _parts_of(shape) if "title" in part}
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1]["properties"])))


TITLED = _titled()


def _link(title: str) -> str:
    return f"[{title}](#{title.replace(' ', '-')})"


def _type(shape: dict) -> str:
    """The type in words: ``list of text``, ``integer or null``."""
    kind = shape.get("type")
    if "title" in shape:
        words = [_link(shape["title"])]
    elif "enum" in shape:
        words = [f"`{value}`" for value in shape["enum"]]
    elif "anyOf" in shape:
        words = [_type(each) for each in shape["anyOf"] if "Infinity" not in each.get("enum", ())]
    elif isinstance(kind, list):
        words = [_type({**shape, "type": each}) for each in kind]
    else:
        words = [_single_type(shape, kind)]
    return " or ".join(words)


def _single_type(shape: dict, kind: str | None) -> str:
    if kind == "array" and shape["items"]:
        count = "pair" if shape.get("maxItems") == 2 else "list"
        return f"{count} of {_type(shape['items'])}"
    if kind == "object" and shape.get("additionalProperties"):
        return f"object of {_type(shape['additionalProperties'])}"
    if kind == "string" and shape.get("format") == "date-time":
        return "time"
    return _WORDS.get(kind, kind) if kind else "any value"


def _rows(properties: dict, optional: tuple[str, ...] = (), prefix: str = "") -> Iterator[list]:
    for name, shape in properties.items():
        description = shape.get("description", "").replace("|", "\\|")
        note = " (not always there)" if name in optional else ""
        yield [f"`{prefix}{name}`", _type(shape), f"{description}{note}"]
        yield from _rows_below(shape, f"{prefix}{name}")


def _rows_below(shape: dict, path: str) -> Iterator[list]:
    """The properties of an object that has no name of its own, or of those in a list."""
    for each in [shape, *shape.get("anyOf", ())]:
        if "title" in each:
            continue
        if "properties" in each:
            required = each["required"]
            optional = tuple(name for name in each["properties"] if name not in required)
            yield from _rows(each["properties"], optional, f"{path}.")
        elif isinstance(each.get("items"), dict):
            yield from _rows_below(each["items"], f"{path}[]")
        elif each.get("additionalProperties"):
            yield from _rows_below(each["additionalProperties"], f"{path}.NAME")


def _table(properties: dict, optional: tuple[str, ...], but: str = "") -> str:
    """A table of the properties; of those of a named object, only a link to it."""
    for title, shape in TITLED.items():
        if title != but and shape["properties"].items() <= properties.items():
            rest = {
                name: each for name, each in properties.items() if name not in shape["properties"]
            }
            more = f", and:\n\n{_fields(rest, optional)}" if rest else ".\n"
            return f"The fields of {_link(title)}{more}"
    return _fields(properties, optional)


def _fields(properties: dict, optional: tuple[str, ...]) -> str:
    return generated_blocks.table(["field", "type", "meaning"], [*_rows(properties, optional)])


def _documents(found: dict[str, Document]) -> Callable[[], str]:
    def write() -> str:
        parts = []
        for key, document in found.items():
            name, _, way = key.partition(" (")
            title = f"`{name}`" + (f" ({way}" if way else "")
            number = f" Schema {document.number}." if document.number > 1 else ""
            table = _table(document.properties, document.optional)
            parts.append(f"### {title}\n\n{document.summary}{number}\n\n{table}\n")
        return "\n" + "".join(parts)

    return write


def _objects() -> str:
    parts = []
    for title, shape in sorted(TITLED.items()):
        optional = tuple(name for name in shape["properties"] if name not in shape["required"])
        text = f"{shape['description']}\n\n" if shape.get("description") else ""
        parts.append(f"### {title}\n\n{text}{_table(shape['properties'], optional, title)}\n")
    return "\n" + "".join(parts)


def _general_codes() -> str:
    codes = sorted({**exit_codes.GENERAL, **exit_codes.FURTHER}.items())
    rows = [[str(code), meaning] for code, meaning in codes]
    return generated_blocks.table(["code", "meaning"], rows)


def _special_codes() -> str:
    rows = [
        [f"`{command}`", str(code), meaning]
        for command, codes in exit_codes.SPECIAL.items()
        for code, meaning in sorted(codes.items())
    ]
    return generated_blocks.table(["command", "code", "meaning"], rows)


def _without_json() -> str:
    rows = [[f"`{command}`", reason] for command, reason in schemas.WITHOUT_JSON.items()]
    return generated_blocks.table(["command", "reason"], rows)


JSON = {
    "runs": _documents(runs.DOCUMENTS),
    "workspaces": _documents(workspaces.DOCUMENTS),
    "tools": _documents(tools.DOCUMENTS),
    "objects": _objects,
    "without": _without_json,
}
CODES = {"general": _general_codes, "special": _special_codes}

if __name__ == "__main__":
    results = [
        generated_blocks.update(REFERENCE / "json.md", JSON, sys.argv[1:]),
        generated_blocks.update(REFERENCE / "exit-codes.md", CODES, sys.argv[1:]),
    ]
    sys.exit(max(results))
