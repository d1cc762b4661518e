"""The classes, methods and parameters of the SDK v1, counted: almost all of them are accepted.

``signatures.json`` lists them. A parameter whose name has an underscore and a default stands there
by its first word only.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriptrun.dropin import finder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LISTED = json.loads((HERE / "signatures.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


def names_in(signature: str) -> list[str]:
    found = re.findall(r"(?:^|[(,])\s*([A-Za-z_]\w*)(?==|\s*(?=[,)]))", signature)
    return [name for name in found if name not in ("self", "cls")]


def lacking(call: object, signature: str) -> list[str]:
    """The listed parameters that ``call`` does not take."""
    try:
        taken = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return names_in(signature)
    if any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        return []
    return [
        name
        for name in names_in(signature)
        if name not in taken and not any(each.startswith(f"{name}_") for each in taken)
    ]


def findings() -> Iterator[tuple[str, str]]:
    """Each listed class, and each of its methods, with what is wrong ("" where it is accepted)."""
    for full, listed in LISTED.items():
        module, _, name = full.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            yield full, str(error)
            continue
        yield full, ", ".join(lacking(found, listed.get("init") or "()"))
        for method, signature in (listed.get("methods") or {}).items():
            call = getattr(found, method, None)
            wrong = "missing" if call is None else ", ".join(lacking(call, signature))
            yield f"{full}.{method}", wrong


def test_almost_all_are_accepted_and_the_page_says_how_many():
    found = dict(findings())
    wrong = {name: why for name, why in found.items() if why}
    assert len(found) > 850
    share = 1 - len(wrong) / len(found)
    assert share >= 0.98, wrong
    said = f"{len(found) - len(wrong)} of {len(found)}"
    page = (ROOT / "docs" / "reference" / "dropin.md").read_text("utf-8")
    assert f"{said} listed classes and methods" in page, f"the page should say {said}"


def test_the_checker_sees_what_is_missing():
    def call(workspace, max_nodes=None):
        pass

    assert lacking(call, "(workspace, max)") == []
    assert lacking(call, "(workspace, max, name=None, path)") == ["name", "path"]
    assert names_in("(self, a, b='x', *args, **kwargs)") == ["a", "b"]


@pytest.mark.parametrize(
    "alias", sorted(a for each in LISTED.values() for a in each.get("aliases") or ())
)
def test_every_alias_can_be_imported(alias):
    module, _, name = alias.rpartition(".")
    assert getattr(importlib.import_module(module), name) is not None
