"""Read YAML: the only module that parses it, so that all files follow the same rules and limits.

Scalars have the values of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema):
``yes``, dates and ``12:30`` are text, ``0123`` is 123. Of several equal keys the last one counts,
``<<`` merges a mapping. Aliases count as often as they are used, so that a small file cannot stand
for a huge value.
"""

from __future__ import annotations

import functools
import re

from scriptrun.store import document_limits
from scriptrun.store.document_limits import CONFIGURATION, Limits, MalformedDocument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    import yaml

    Construct = Callable[[yaml.SafeLoader, yaml.Node], object]


class PlainScalar(str):
    """An unquoted number, boolean or null: its text as written, and its value.

    A string field gets "3.10" from ``3.10``, not "3.1".
    """

    value: object

    @classmethod
    def from_yaml(cls, text: str, value: object) -> PlainScalar:
        """The scalar ``text``, which YAML parses as ``value``."""
        scalar = cls(text)
        scalar.value = value
        return scalar


def parse(
    text: str | bytes,
    keep_text: bool = False,
    limits: Limits = CONFIGURATION,
    keep_nulls: bool = False,
) -> object:
    """The value of the YAML document ``text``; with ``keep_text``, scalars are PlainScalars.

    Nulls are None nevertheless, unless ``keep_nulls`` keeps the text of those as well.
    Raises MalformedDocument for invalid YAML, and LimitExceeded for a value that is too large or
    too deep.
    """
    import yaml

    document_limits.check_size(text, limits)
    try:
        loader = _loader(keep_text, keep_nulls)(text, limits)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        read = text if isinstance(text, str) else text.decode("latin-1")
        line = read.count("\n", 0, error.position) + 1
        raise MalformedDocument(f"invalid YAML ({str(error).splitlines()[0]})", line, 1) from None
    except yaml.YAMLError as error:
        raise _malformed(error) from None
    except OverflowError:
        raise MalformedDocument("invalid YAML (an escape for no character)") from None


def _malformed(error: yaml.YAMLError) -> MalformedDocument:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    position = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return MalformedDocument(f"invalid YAML ({problem[:_LONGEST_PROBLEM]})", *position)


#: the number of characters of a problem, which can quote the file
_LONGEST_PROBLEM = 200
#: Python writes no integer of more bits than these in decimal digits
_MOST_BITS = 14_000
_TAG = "tag:yaml.org,2002:"


class _Counter:
    """Counts the values and levels of a document while its nodes are composed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._values = self._depth = self._deepest = 0
        #: by node: the values that it stands for, and the levels below it
        self._sizes: dict[int, tuple[int, int]] = {}

    def compose(
        self, compose: Callable[[], yaml.Node | None], is_alias: bool, mark: yaml.Mark
    ) -> yaml.Node | None:
        """The node that ``compose`` returns, which begins at ``mark``. Raises LimitExceeded."""
        values_before, deepest_before = self._values, self._deepest
        self._depth += 1
        self._deepest = self._depth
        self._check(mark)
        node = compose()
        if is_alias:
            values, depth = self._sizes.get(id(node)) or _reject_circle(mark)
            self._values += values
            self._deepest = self._depth + depth
        else:
            self._values += 1
            size = self._values - values_before, self._deepest - self._depth
            self._sizes[id(node)] = size
        self._check(mark)
        self._depth -= 1
        self._deepest = max(self._deepest, deepest_before)
        return node

    def _check(self, mark: yaml.Mark) -> None:
        position = mark.line + 1, mark.column + 1
        if self._values > self._limits.values:
            raise document_limits.too_many(self._limits, *position)
        if self._deepest > self._limits.depth:
            raise document_limits.too_deep(self._limits, *position)


def _reject_circle(mark: yaml.Mark) -> NoReturn:
    position = mark.line + 1, mark.column + 1
    problem = "an alias refers to a value that contains it"
    raise MalformedDocument(f"invalid YAML ({problem})", *position)


@functools.cache
def _loader(keep_text: bool, keep_nulls: bool) -> Callable[[str | bytes, Limits], yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Counts what it composes, and constructs only the values of JSON."""

        yaml_implicit_resolvers = _implicit_resolvers()

        def __init__(self, stream: str | bytes, limits: Limits) -> None:
            super().__init__(stream)
            self._counter = _Counter(limits)

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            is_alias = self.check_event(yaml.AliasEvent)
            mark: yaml.Mark = self.current_event.start_mark
            compose = functools.partial(super().compose_node, parent, index)
            return self._counter.compose(compose, is_alias, mark)

        def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
            try:
                if node.tag == f"{_TAG}int" and len(node.value) > _MOST_BITS + 2:
                    raise ValueError("the number is too large")  # before it is worked out
                value: object = super().construct_object(node, deep)
                number = getattr(value, "value", value)
                if isinstance(number, int) and number.bit_length() > _MOST_BITS:
                    raise ValueError("the number is too large")
                return value
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise _invalid_value(node, error) from None

    for kind, construct in _SCALARS.items():
        tag = f"{_TAG}{kind}"
        Loader.add_constructor(tag, _keeping_text(construct) if keep_text else construct)
    if keep_nulls:
        Loader.add_constructor(f"{_TAG}null", _keeping_text(lambda loader, node: None))
    Loader.add_constructor(f"{_TAG}str", _construct_text)
    Loader.add_constructor(f"{_TAG}merge", lambda loader, node: node.value)
    for kind in ("binary", "omap", "pairs", "set", "timestamp"):
        Loader.add_constructor(f"{_TAG}{kind}", _reject)
    return Loader


def kind_of(text: str) -> str:
    """What the unquoted ``text`` is: "null", "bool", "int", "float", "merge" or "str"."""
    return next((kind for kind, pattern in _KINDS.items() if re.fullmatch(pattern, text)), "str")


#: the unquoted scalars that are not text
_KINDS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
    "merge": "<<",
}
#: the first characters of scalars of each kind
_FIRST = {"null": "~nN", "bool": "tTfF", "int": "-+0123456789", "float": "-+.0123456789"}


def _implicit_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern in _KINDS.items():
        for first in [*_FIRST.get(kind, "<"), *([""] if kind == "null" else [])]:
            rule = f"{_TAG}{kind}", re.compile(rf"(?:{pattern})\Z")
            resolvers.setdefault(first, []).append(rule)
    return resolvers


def _construct_text(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    """The text; two escapes that are a surrogate pair are one character, as in JSON."""
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "expected a scalar", node.start_mark)
    text = str(loader.construct_scalar(node))
    if text.isascii() or not re.search("[\ud800-\udbff][\udc00-\udfff]", text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _construct_int(loader: yaml.SafeLoader, node: yaml.Node) -> int:
    text = str(node.value)
    prefixes = {"0o": 8, "0x": 16}
    base = prefixes.get(text[:2])
    return int(text[2:], base) if base else int(text)


def _construct_float(loader: yaml.SafeLoader, node: yaml.Node) -> float:
    text = str(node.value)
    return float(text.replace(".", "") if text[-1:].isalpha() else text)


def _construct_bool(loader: yaml.SafeLoader, node: yaml.Node) -> bool:
    text = str(node.value)
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


#: the kinds of scalars whose text a PlainScalar keeps
_SCALARS: dict[str, Construct] = {
    "int": _construct_int,
    "float": _construct_float,
    "bool": _construct_bool,
}


def _keeping_text(construct: Construct) -> Construct:
    return lambda loader, node: PlainScalar.from_yaml(node.value, construct(loader, node))


def _reject(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    raise _invalid_value(node, f"the tag {node.tag.rpartition(':')[2]!r} is not supported")


def _invalid_value(node: yaml.Node, problem: object) -> Exception:
    import yaml

    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    detail = f"invalid value {text[:50]!r}: {problem}" if text else str(problem)
    return yaml.constructor.ConstructorError(None, None, detail, node.start_mark)
