"""Read YAML: the only module that parses it, so that all files follow the same rules and limits.

Scalars have YAML 1.1's values, except dates, which stay text. Of several equal keys the last one
counts. Aliases count as often as they are used, so that a small file cannot stand for a huge value.
"""

from __future__ import annotations

import functools

from scriptrun.store import document_limits
from scriptrun.store.document_limits import CONFIGURATION, Limits, MalformedDocument

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from typing import NoReturn

    import yaml

    Construct = Callable[[yaml.SafeLoader, yaml.Node], object]


class PlainScalar(str):
    """An unquoted number, date or boolean: its text as written, and its value.

    A string field gets "3.10" from ``3.10``, not "3.1".
    """

    value: object

    @classmethod
    def from_yaml(cls, text: str, value: object) -> PlainScalar:
        """The scalar ``text``, which YAML parses as ``value``."""
        scalar = cls(text)
        scalar.value = value
        return scalar


def parse(text: str | bytes, keep_text: bool = False, limits: Limits = CONFIGURATION) -> object:
    """The value of the YAML document ``text``; with ``keep_text``, scalars are PlainScalars.

    Raises MalformedDocument for invalid YAML, and LimitExceeded for a value that is too large or
    too deep.
    """
    import yaml

    document_limits.check_size(text, limits)
    try:
        loader = _loader(keep_text)(text, limits)
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
_INTEGER = "tag:yaml.org,2002:int"


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
def _loader(keep_text: bool) -> Callable[[str | bytes, Limits], yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Counts what it composes, and constructs only the values of JSON."""

        yaml_implicit_resolvers = _implicit_resolvers(keep_text)

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
                if node.tag == _INTEGER and len(node.value) > _MOST_BITS + 2:
                    raise ValueError("the number is too large")  # before it is worked out
                value: object = super().construct_object(node, deep)
                number = getattr(value, "value", value)
                if isinstance(number, int) and number.bit_length() > _MOST_BITS:
                    raise ValueError("the number is too large")
                return value
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise _invalid_value(node, error) from None

    for kind in _SCALARS if keep_text else ():
        tag = f"tag:yaml.org,2002:{kind}"
        Loader.add_constructor(tag, _text_keeper(yaml.SafeLoader.yaml_constructors[tag]))
    for kind in ("binary", "omap", "pairs", "set"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", _reject)
    return Loader


#: the kinds of scalars whose text a PlainScalar keeps
_SCALARS = ("int", "float", "bool", "timestamp")


def _implicit_resolvers(keep_text: bool) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """YAML 1.1's rules for plain scalars; dates stay text, or PlainScalars with ``keep_text``."""
    import yaml

    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]]
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    if keep_text:
        return resolvers
    return {
        first: [(tag, regex) for tag, regex in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in resolvers.items()
    }


def _text_keeper(construct: Construct) -> Construct:
    return lambda loader, node: PlainScalar.from_yaml(node.value, construct(loader, node))


def _reject(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    raise _invalid_value(node, f"the tag {node.tag.rpartition(':')[2]!r} is not supported")


def _invalid_value(node: yaml.Node, problem: object) -> Exception:
    import yaml

    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    detail = f"invalid value {text[:50]!r}: {problem}" if text else str(problem)
    return yaml.constructor.ConstructorError(None, None, detail, node.start_mark)
