"""Queries as trees, and all that is wrong with one at once."""

from __future__ import annotations

import pytest

from scriptrun.query import fields, language, tree
from scriptrun.query.fields import Field
from scriptrun.query.problem import QueryException
from scriptrun.query.tree import And, Comparison, Has, Not, Or, Word

ALPHA = Field("params", "alpha")


def node(text):
    return language.parse(text, now=1000.0).node


def compared(field, operator, text, number=None):
    return Comparison(field, operator, text, number)


def state(name):
    return compared(fields.known("state"), "=", name)


def flag(name, is_on):
    return tree.flag(fields.known(name), is_on)


def test_the_query_of_the_first_page():
    found = node(
        "state=failed and params.alpha>0.1 and metrics.loss<0.5 and tags.team~vis and submitted>-2d"
    )
    assert isinstance(found, And)
    *others, submitted = found.items
    assert others == [
        state("Failed"),
        compared(ALPHA, ">", "0.1", 0.1),
        compared(Field("metrics", "loss"), "<", "0.5", 0.5),
        compared(Field("tags", "team"), "~", "vis"),
    ]
    assert (submitted.moment.start, submitted.moment.end) == (1000.0 - 172800, 1000.0 - 172800)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", And()),
        ("failed", state("Failed")),
        ("Not_Started", state("NotStarted")),
        ("digits", Word("digits")),
        ("archived", flag("archived", True)),
        ("Pinned=YES", flag("pinned", True)),
        ("removed!=true", flag("removed", False)),
        ("removed=0", flag("removed", False)),
        ("not archived", Not(flag("archived", True))),
        ("'archived'", Word("archived")),
        ("description~x", compared(fields.known("note"), "~", "x")),
        ("'failed'", Word("failed")),
        ("params.alpha", Has(ALPHA)),
        ("param.alpha", Has(ALPHA)),
        ("params.learning-rate", Has(Field("params", "learning_rate"))),
        ("metrics.val-loss", Has(Field("metrics", "val-loss"))),
        ("not failed", Not(state("Failed"))),
        ("NOT failed AND x", And((Not(state("Failed")), Word("x")))),
        ("a b", And((Word("a"), Word("b")))),
        ("a or b and c", Or((Word("a"), And((Word("b"), Word("c")))))),
        ("(a or b) c", And((Or((Word("a"), Word("b"))), Word("c")))),
        ("params.alpha==1e-3", compared(ALPHA, "=", "1e-3", 0.001)),
        ("params.alpha = '1e-3'", compared(ALPHA, "=", "1e-3")),
        ("params.alpha<>x", compared(ALPHA, "!=", "x")),
        ("params.alpha=True", compared(ALPHA, "=", "true")),
        ('metrics."val loss"<1', compared(Field("metrics", "val loss"), "<", "1", 1.0)),
        ("metrics.val/loss.best<1", compared(Field("metrics", "val/loss.best"), "<", "1", 1.0)),
        ('tags."a\\"b"=c', compared(Field("tags", 'a"b'), "=", "c")),
        ("tags.a=''", compared(Field("tags", "a"), "=", "")),
        (
            "params.alpha in (1, x)",
            Or((compared(ALPHA, "=", "1", 1.0), compared(ALPHA, "=", "x"))),
        ),
        ("params.alpha not in (1)", And((compared(ALPHA, "!=", "1", 1.0),))),
        ("status=cancelled", compared(fields.known("state"), "=", "Canceled")),
        ("compute=gpu", compared(fields.known("target"), "=", "gpu")),
        ("duration>1h30m", compared(fields.known("duration"), ">", "1h30m", 5400.0)),
        ("alpha=1", compared(Field(language.UNKNOWN, "alpha"), "=", "1", 1.0)),
    ],
)
def test_what_a_query_means(text, expected):
    assert node(text) == expected


def refused(text):
    with pytest.raises(QueryException) as caught:
        language.parse(text, now=1000.0)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("state=faild", "Unknown state 'faild'", "Did you mean 'Failed'?"),
        ("state<failed", "no order", "in (failed, canceled)"),
        ("archived=maybe", "'maybe' is neither true nor false", "Write archived=true"),
        ("archived>1", "'archived' is true or false", "Use = or !="),
        ("note", "'note' is not compared", "note~TEXT"),
        ("exit_code=x", "'x' is not a number", "such as 1"),
        ("exit_code~1", "is a number", "Use ="),
        ("submitted>-2x", "'-2x' is not a time", "yesterday"),
        ("submitted=-1d", "'-1d' is an instant", "write submitted>-1d."),
        ("duration>soon", "'soon' is not a duration", "1h30m"),
        ("metrics.loss<abc", "'abc' is not a number", "such as 1"),
        ("metrcs.loss<1", "Unknown field 'metrcs.loss'", "'metrics.loss'"),
        ("state=", "Expected a value after '='", "quotes"),
        ("duration", "not compared", "duration>10m"),
        ("state:failed", "Unexpected ':'", "state=failed"),
        ("a=b=c", "Unexpected '='", "quotes"),
        ("tags.a=x,y", "Unexpected ','", "quotes"),
        ("tags.a=x,y", "Unexpected ','", "FIELD in (A, B)"),
        ("a=1 & b=2", "Unexpected '&'", "Write: and."),
        ("a=1 || b=2", "Unexpected '||'", "Write: or."),
        ("!failed", "Unexpected '!'", "Write: not CONDITION."),
        ("a !< 3", "Unknown operator '!<'", "!="),
        ('tags.a="x', "never closed", ""),
        ("(a", "parenthesis is never closed", ""),
        ("a)", "Unexpected ')'", ""),
        ("a and", "missing at the end", ""),
        ("or a", "Expected a condition", ""),
        ("a in 3", "in parentheses", ""),
        ("a in ()", "at least one", ""),
        ("not " * 60 + "a", "too deeply", ""),
    ],
)
def test_what_is_refused(text, message, hint):
    error = refused(text)
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == 2


def test_all_problems_are_reported_at_once_each_with_its_place():
    error = refused("state=faild and (submitted>-2x or metrcs.loss<1")
    assert [problem.message.split(" ")[0] for problem in error.problems] == [
        "Unknown",
        "The",
        "'-2x'",
        "Unknown",
    ]
    _, shown, carets, *_ = error.message.split("\n")
    for word in ("faild", "-2x", "metrcs.loss"):
        place = shown.index(word)
        assert carets[place : place + len(word)] == "^" * len(word)


def test_fields_of_a_sort_order():
    found = language.parse_fields('-metrics."a b",state', "sort order", signed=True)
    assert [(each.field, each.descending) for each in found] == [
        (Field("metrics", "a b"), True),
        (fields.known("state"), False),
    ]
    with pytest.raises(QueryException, match="No field given"):
        language.parse_fields(",", "columns")
    with pytest.raises(QueryException, match="'<' is not a field"):
        language.parse_fields("a<b", "columns")


def test_the_fields_of_a_tree():
    found = tree.fields_of(node("not (params.a=1 or tags.b) and x"))
    assert [each.text for each in found] == ["params.a", "tags.b"]


@pytest.mark.parametrize(
    "name", ["loss", "val/loss", "a b", 'say "x"', "a,b", "a.b", "back\\slash x"]
)
def test_a_field_is_parsed_as_it_is_written(name):
    field = Field("metrics", name)
    assert language.parse_fields(field.text, "columns")[0].field == field
