"""Writes src/scriptrun/dropin/homes_table.py from lists of the SDK v1; with --check compares.

The lists are tests/dropin/signatures*.json: each class by the module that defines it, with its
``aliases``, the modules whose namespaces have it too.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "scriptrun" / "dropin" / "homes_table.py"
#: lists of the SDK, in the order in which they decide about names that several classes have
LISTS = ("signatures.json", "signatures_inference.json", "signatures_tensorboard.json")
#: sections of a run configuration share names with what users mean: those come last
LAST = "azureml.core.runconfig"
HEAD = '''"""Which module of the SDK v1 defines each class; tools/azureml_homes.py writes this file.

The SDK's modules import classes from each other, and old code imports them from any of them.
"""

from __future__ import annotations

#: the modules, each followed by the classes that it defines
_DEFINED = """
{homes}"""


def _homes() -> dict[str, str]:
    found, module = dict[str, str](), ""
    for line in _DEFINED.splitlines():
        if line.startswith(" "):
            found.update(dict.fromkeys(line.split(), module))
        else:
            module = line
    return found


#: class: the module that defines it
HOMES = _homes()
'''


def read() -> dict[str, dict[str, list[str]]]:
    """Each class of the SDK by its full name, with its facts."""
    classes: dict[str, dict[str, list[str]]] = {}
    for name in LISTS:
        listed = json.loads((ROOT / "tests" / "dropin" / name).read_text("utf-8"))
        classes.update({full: facts for full, facts in listed.items() if full[:8] == "azureml."})
    return {full: facts for full, facts in classes.items() if "functions" not in facts}


def homes(classes: dict[str, dict[str, list[str]]]) -> dict[str, str]:
    """The module of each class name: that with a home in ``azureml.core`` itself comes first."""
    found: dict[str, str] = {}
    for full in sorted(classes, key=lambda full: _rank(full, classes[full])):
        module, _, name = full.rpartition(".")
        found.setdefault(name, module)
    return found


def _rank(full: str, facts: dict[str, list[str]]) -> tuple[bool, bool, str]:
    module, _, name = full.rpartition(".")
    is_main = f"azureml.core.{name}" in facts.get("aliases", [])
    return not is_main, module == LAST, full


def text() -> str:
    """The module's text."""
    by_module: dict[str, list[str]] = {}
    for name, module in sorted(homes(read()).items()):
        by_module.setdefault(module, []).append(name)
    return HEAD.format(homes="".join(_entries(by_module)))


def _entries(by_module: dict[str, list[str]]) -> Iterator[str]:
    for module, names in sorted(by_module.items()):
        yield f"{module}\n"
        indent = "    "
        lines = textwrap.wrap(" ".join(names), 98, initial_indent=indent, subsequent_indent=indent)
        yield "\n".join([*lines, ""])


if __name__ == "__main__":
    if "--check" not in sys.argv:
        TABLE.write_text(text(), "utf-8")
    elif TABLE.read_text("utf-8") != text():
        sys.exit(f"{TABLE} is out of date; run: python tools/azureml_homes.py")
