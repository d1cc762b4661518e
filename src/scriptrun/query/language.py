"""Parse queries, sort orders and lists of fields; all problems are reported at once."""

from __future__ import annotations

import time

from scriptrun.query import fields, moments, numbers, tree
from scriptrun.query.fields import Field
from scriptrun.query.problem import Problem, refuse
from scriptrun.spec import states, suggestion
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.query.tree import Node

#: the space of a field without one, until the names that runs have decide
UNKNOWN = "?"
_WORD, _OPERATOR, _OPEN, _CLOSE, _COMMA, _END = "word", "operator", "(", ")", ",", "end"
_QUOTES_HINT = "Put values with spaces or special characters in quotes."
_COMMA_HINT = "For several values, write FIELD in (A, B). Put a value with commas in quotes."
#: what other languages write for ``and`` and ``or``
_SIGNS = {"&": "and", "|": "or"}
_KEYWORDS = ("and", "or", "not", "in")


class Token(Value):
    """A word, operator or parenthesis of the query; ``quoted`` if it is all in quotes."""

    kind: str
    text: str
    start: int
    end: int
    quoted: bool = False

    def is_keyword(self, *words: str) -> bool:
        """Whether it is one of the keywords ``words``."""
        return self.kind == _WORD and not self.quoted and self.text.lower() in words


class Mention(Value):
    """A field that the text names, and where; ``descending`` in a sort order with ``-``."""

    field: Field
    start: int
    end: int
    descending: bool = False


class Query(Value):
    """A parsed query: its ``text``, the ``node`` of its tree, and the fields that it names."""

    text: str
    node: Node
    mentions: tuple[Mention, ...] = ()


def parse(text: str, now: float | None = None) -> Query:
    """Parse a query; times are relative to ``now``. Raises QueryException with all problems."""
    query, problems = analyse(text, now)
    refuse(text, problems)
    return query


def analyse(text: str, now: float | None = None) -> tuple[Query, list[Problem]]:
    """As ``parse``, with the problems instead of an exception; the query is then incomplete."""
    parser = _Parser(text, time.time() if now is None else now)
    node = parser.parse()
    return Query(text, node, tuple(parser.mentions)), parser.problems


def parse_fields(text: str, label: str, signed: bool = False) -> list[Mention]:
    """The fields in ``text``, separated by commas; ``signed`` ones may begin with ``-``."""
    tokens, problems = _tokens(text)
    mentions = []
    for token in tokens:
        if token.kind in (_COMMA, _END):
            continue
        name = token.text.lstrip("+-") if signed and not token.quoted else token.text
        start = token.end - len(name) if not token.quoted else token.start
        if token.kind != _WORD or not name:
            problems.append(Problem(f"{token.text!r} is not a field.", token.start, token.end))
            continue
        field = fields.parse(name) or Field(UNKNOWN, name)
        mentions.append(Mention(field, start, token.end, token.text.startswith("-")))
    if not mentions and not problems:
        problems.append(Problem("No field given.", 0, 1, _known_fields()))
    refuse(text, problems, label)
    return mentions


def unknown_field(name: str, start: int, end: int, names: tuple[str, ...] = ()) -> Problem:
    """The problem of a field that does not exist; ``names`` are those that runs have."""
    spaces = [f"{space}.NAME" for space in fields.SPACES]
    first, dot, rest = name.partition(".")
    space = fields.space_of(name)
    if space:
        hint = f"Write {space}.NAME."
    elif dot and (near := suggestion.nearest(first, fields.SPACES)):
        hint = f"Did you mean '{near[0]}.{rest}'?"
    else:
        near = suggestion.nearest(name, [*fields.FIELDS, *fields.ALIASES, *names])
        by_last = [each for each in names if each.partition(".")[2] == name]
        last_near = suggestion.nearest(name, [each.partition(".")[2] for each in names])
        full = [each for each in names if each.partition(".")[2] in last_near]
        meant = by_last or near or full[:1]
        hint = f"Did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    none = "" if dot else "No run has a parameter, metric or tag with this name. "
    hint = hint or f"{none}{_known_fields()[:-1]}, {', '.join(spaces)}."
    return Problem(f"Unknown field {name!r}.", start, end, hint)


def _known_fields() -> str:
    return f"Fields: {', '.join(fields.FIELDS)}."


def _tokens(text: str) -> tuple[list[Token], list[Problem]]:
    tokens: list[Token] = []
    problems: list[Problem] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char.isspace():
            position += 1
            continue
        if char in "(),":
            token = Token(char, char, position, position + 1)
        elif char in "=!<>~":
            token = _operator(text, position, problems)
        else:
            token = _word(text, position, problems)
        tokens.append(token)
        position = token.end
    tokens.append(Token(_END, "", len(text), len(text)))
    return tokens, problems


def _operator(text: str, start: int, problems: list[Problem]) -> Token:
    end = start
    while end < len(text) and text[end] in "=!<>~":
        end += 1
    written = text[start:end]
    operator = {"==": "=", "=~": "~", "<>": "!="}.get(written, written)
    if written == "!":
        problems.append(Problem("Unexpected '!'.", start, end, "Write: not CONDITION."))
    elif operator not in tree.OPERATORS:
        hint = f"Operators: {' '.join(tree.OPERATORS)}"
        problems.append(Problem(f"Unknown operator {written!r}.", start, end, hint))
    return Token(_OPERATOR, operator, start, end)


def _word(text: str, start: int, problems: list[Problem]) -> Token:
    """A word, which may have quoted parts: ``metrics."val loss"``."""
    position, parts, quoted = start, [], 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            part, end = _quoted(text, position)
            if end > len(text):
                message = f"The quote {char} is never closed."
                problems.append(Problem(message, position, position + 1))
            parts.append(part)
            position, quoted = min(end, len(text)), quoted + 1
        elif char.isspace() or char in fields.ENDS_WORD:
            break
        else:
            parts.append(char)
            position += 1
    whole = quoted == 1 and len(parts) == 1
    return Token(_WORD, "".join(parts), start, position, whole)


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The text in the quotes at ``start``, and where it ends: beyond the text if it does not."""
    quote, position, chars = text[start], start + 1, []
    while position < len(text) and text[position] != quote:
        if text[position] == "\\" and text[position + 1 : position + 2] in (quote, "\\"):
            position += 1
        chars.append(text[position])
        position += 1
    return "".join(chars), position + 1


class _Stop(Exception):
    """The rest of the query cannot be parsed."""


class _Parser:
    """Parses one query by recursive descent."""

    #: how deep parentheses and ``not`` may be nested
    MAX_DEPTH = 50

    def __init__(self, text: str, now: float) -> None:
        self._text, self._now = text, now
        self._tokens, self.problems = _tokens(text)
        self._position = 0
        self._depth = 0
        self.mentions: list[Mention] = []

    def parse(self) -> Node:
        """The whole query; an empty one is true for every run."""
        if self._peek().kind == _END:
            return tree.And()
        try:
            node = self._any()
            token = self._peek()
            if token.kind != _END:
                hint = {_OPERATOR: _QUOTES_HINT, _COMMA: _COMMA_HINT}.get(token.kind, "")
                self._fail(f"Unexpected {token.text!r}.", token, hint)
        except _Stop:
            return tree.And()
        return node

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._tokens[self._position]
        self._position += token.kind != _END
        return token

    def _problem(self, message: str, token: Token, hint: str = "") -> None:
        self.problems.append(Problem(message, token.start, token.end, hint))

    def _fail(self, message: str, token: Token, hint: str = "") -> None:
        if not self.problems or token.kind != _END:
            self._problem(message, token, hint)
        raise _Stop

    def _any(self) -> Node:
        items = [self._all()]
        while self._peek().is_keyword("or"):
            self._take()
            items.append(self._all())
        return items[0] if len(items) == 1 else tree.Or(tuple(items))

    def _all(self) -> Node:
        items = [self._one()]
        while self._continues():
            items.append(self._one())
        return items[0] if len(items) == 1 else tree.And(tuple(items))

    def _continues(self) -> bool:
        """Whether another condition follows: after ``and``, or at once."""
        token = self._peek()
        if token.is_keyword("and"):
            self._take()
            return True
        return token.kind == _OPEN or (token.kind == _WORD and not token.is_keyword("or"))

    def _one(self) -> Node:
        token = self._take()
        if token.is_keyword("not") or token.kind == _OPEN:
            self._depth += 1
            if self._depth > self.MAX_DEPTH:
                self._fail("The query is nested too deeply.", token)
            node = tree.Not(self._one()) if token.kind == _WORD else self._group(token)
            self._depth -= 1
            return node
        if token.kind == _END:
            self._fail("A condition is missing at the end.", token)
        if token.kind == _OPERATOR and token.text == "!":
            raise _Stop
        if token.kind != _WORD or token.is_keyword(*_KEYWORDS):
            self._fail(f"Expected a condition, not {token.text!r}.", token)
        if self._peek().kind == _OPERATOR:
            return self._comparison(token, self._take())
        is_negated = self._peek().is_keyword("not")
        following = self._tokens[min(self._position + is_negated, len(self._tokens) - 1)]
        if following.is_keyword("in"):
            self._position += 1 + is_negated
            return self._membership(token, is_negated)
        return self._alone(token)

    def _group(self, opened: Token) -> Node:
        node = self._any()
        if self._peek().kind != _CLOSE:
            self._unclosed(opened)
        self._take()
        return node

    def _unclosed(self, opened: Token) -> None:
        token = self._peek()
        if token.kind == _END:
            self._fail("The parenthesis is never closed.", opened)
        self._fail(f"Expected ')', not {token.text!r}.", token, _QUOTES_HINT)

    def _comparison(self, name: Token, operator: Token) -> Node:
        value = self._take()
        if value.kind != _WORD:
            self._fail(f"Expected a value after {operator.text!r}.", operator, _QUOTES_HINT)
        return self._compare(self._field(name), name, operator.text, value)

    def _membership(self, name: Token, is_negated: bool) -> Node:
        """``in (a, b)``: equal to one of them; ``not in (a, b)``: unequal to all."""
        field, opened = self._field(name), self._take()
        if opened.kind != _OPEN:
            self._fail("Expected values in parentheses after 'in': in (a, b).", opened)
        operator = tree.UNEQUAL if is_negated else tree.EQUAL
        items = []
        while self._peek().kind == _WORD:
            items.append(self._compare(field, name, operator, self._take()))
            if self._peek().kind == _COMMA:
                self._take()
        if self._peek().kind != _CLOSE:
            self._unclosed(opened)
        if not items:
            self._problem("Expected at least one value.", opened)
        self._take()
        return tree.And(tuple(items)) if is_negated else tree.Or(tuple(items))

    def _alone(self, token: Token) -> Node:
        """A word without an operator: a state, a field that a run has, or text."""
        sign = token.text.strip()[:1]
        if not token.quoted and sign in _SIGNS and not token.text.strip(sign):
            self._problem(f"Unexpected {token.text!r}.", token, f"Write: {_SIGNS[sign]}.")
        state = _state(token.text)
        if not token.quoted and state is not None:
            return tree.Comparison(Field("", "state", fields.STATE), tree.EQUAL, state)
        field = None if token.quoted else fields.parse(token.text)
        if field is not None and (field.space or field.kind == fields.FLAG):
            self.mentions.append(Mention(field, token.start, token.end))
            return tree.Has(field) if field.space else tree.flag(field, True)
        if not token.quoted and token.text.lower() in fields.FIELDS:
            message = f"{token.text!r} is not compared with anything."
            example = _EXAMPLES.get(fields.FIELDS[token.text.lower()].kind, "~TEXT")
            self._problem(message, token, f"Write, for example, {token.text}{example}.")
        prefix, colon, rest = token.text.partition(":")
        if not token.quoted and colon and rest and fields.parse(prefix):
            self._problem("Unexpected ':'.", token, f"Write {prefix}={rest}.")
        return tree.Word(token.text)

    def _field(self, token: Token) -> Field:
        field = fields.parse(token.text)
        if field is None and "." in token.text:
            problem = unknown_field(token.text, token.start, token.end)
            if problem not in self.problems:
                self.problems.append(problem)
            return Field(UNKNOWN, token.text)
        field = field or Field(UNKNOWN, token.text)
        self.mentions.append(Mention(field, token.start, token.end))
        return field

    def _compare(self, field: Field, name: Token, operator: str, value: Token) -> Node:
        is_partial = operator in (tree.CONTAINS, tree.LACKS)
        if field.kind == fields.FLAG:
            return self._of_flag(field, name, operator, value)
        if is_partial and field.kind in (fields.NUMBER, fields.TIME, fields.DURATION):
            hint = "Use =, !=, <, <=, > or >=."
            self._problem(f"{name.text!r} is a {field.kind}: it contains no text.", name, hint)
        elif field.kind == fields.STATE and operator in tree.ORDERS:
            self._problem("States have no order.", name, "Use =, != or in (failed, canceled).")
        elif field.kind == fields.STATE and not is_partial:
            return self._of_state(field, operator, value)
        elif field.kind in _VALUES:
            return self._of_kind(field, operator, value)
        text = numbers.comparable(value.text) if field.kind == fields.ANY else value.text
        is_number = field.kind == fields.ANY and not is_partial and not value.quoted
        number = numbers.parse_number(value.text) if is_number else None
        if field.space in _NUMERIC and number is None and operator in tree.ORDERS and is_number:
            self._problem(f"{value.text!r} is not a number.", value, _VALUES[fields.NUMBER])
        return tree.Comparison(field, operator, text, number)

    def _of_state(self, field: Field, operator: str, value: Token) -> Node:
        state = _state(value.text)
        if state is None:
            hint = suggestion.hint(value.text, states.ORDER, "States")
            self._problem(f"Unknown state {value.text!r}.", value, hint)
        return tree.Comparison(field, operator, state or value.text)

    def _of_flag(self, field: Field, name: Token, operator: str, value: Token) -> Node:
        """``archived=true``; what else is written is refused."""
        if operator not in (tree.EQUAL, tree.UNEQUAL):
            self._problem(f"{name.text!r} is true or false.", name, "Use = or !=.")
        is_on = _FLAGS.get(value.text.lower())
        if is_on is None:
            hint = f"Write {field.name}=true or {field.name}=false."
            self._problem(f"{value.text!r} is neither true nor false.", value, hint)
        return tree.flag(field, bool(is_on) == (operator == tree.EQUAL))

    def _of_kind(self, field: Field, operator: str, value: Token) -> Node:
        """A comparison with a number, time or duration."""
        number = moment = None
        if field.kind == fields.TIME:
            moment = moments.parse_time(value.text, self._now)
            if operator not in tree.ORDERS and moment is not None and moment.start == moment.end:
                hint = f"For runs since then, write {field.name}>{value.text}."
                self._problem(f"{value.text!r} is an instant.", value, hint)
        elif field.kind == fields.DURATION:
            number = moments.parse_duration(value.text)
        else:
            number = numbers.parse_number(value.text)
        if number is None and moment is None:
            self._problem(f"{value.text!r} is not a {field.kind}.", value, _VALUES[field.kind])
        return tree.Comparison(field, operator, value.text, number, moment)


#: the kinds of value that have a special form, and how to write them
_VALUES = {
    fields.NUMBER: "Write a number, such as 1.",
    fields.TIME: moments.TIME_HINT,
    fields.DURATION: moments.DURATION_HINT,
}
#: how a flag may be written
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
#: the spaces whose values are ordered as numbers
_NUMERIC = (fields.METRICS, fields.LOWEST, fields.HIGHEST)
#: what may follow a field of each kind
_EXAMPLES = {
    fields.NUMBER: "=1",
    fields.TIME: ">-2d",
    fields.DURATION: ">10m",
    fields.STATE: "=failed",
}


def _state(text: str) -> str | None:
    """The state that ``text`` names, in any case, with or without ``_`` or ``-``."""
    word = text.lower().replace("_", "").replace("-", "")
    word = "canceled" if word == "cancelled" else word
    return {state.lower(): state for state in states.ORDER}.get(word)
