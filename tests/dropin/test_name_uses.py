"""Which names a file uses: an import that nothing needs is none."""

from __future__ import annotations

import ast

import pytest

from scriptrun.dropin import name_uses


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import a",
        "from x import a",
        "a = None",
        "def f(x: a, *y: a) -> a: pass",
        "async def f() -> a: pass",
        "x: a = 1",
        "try:\n    pass\nexcept (a, ValueError):\n    pass",
        "isinstance(x, (a, int))",
        "issubclass(x, a)",
    ],
)
def test_it_is_not_used(text):
    assert "a" not in name_uses.used_names(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "a()",
        "a.b",
        "f(a)",
        "class B(a): pass",
        "isinstance(a, int)",
        "def f(x=a): pass",
        "x: int = a",
        "a.b = 1",
        "@a\ndef f(): pass",
        "x = [a for y in z]",
    ],
)
def test_it_is_used(text):
    assert "a" in name_uses.used_names(ast.parse(text))


def test_a_dotted_name_counts_with_each_of_its_beginnings():
    assert {"a", "a.b", "a.b.c"} <= name_uses.used_names(ast.parse("a.b.c()"))
    assert name_uses.dotted(ast.parse("f().x").body[0].value) == ""
