"""Mappings as web frameworks have them: several values for a name, headers in any case."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

    Base = Dict[str, object]
else:
    Base = dict  # Python 3.6 has no dict[...]


class MultiDict(Base):
    """A dict of the first value of each name; ``getlist`` has them all."""

    def __init__(self, pairs: "Iterable[Tuple[str, object]]" = ()) -> None:
        self._all: "Dict[str, List[object]]" = {}
        for name, value in pairs:
            self._all.setdefault(name, []).append(value)
        super().__init__((name, values[0]) for name, values in self._all.items())

    def get(
        self,
        key: str,
        default: object = None,
        type: "Optional[Callable[[object], object]]" = None,
    ) -> object:
        """The first value, converted with ``type``; ``default`` if missing or not convertible."""
        if key not in self:
            return default
        try:
            return self[key] if type is None else type(self[key])
        except (ValueError, TypeError):
            return default

    def getlist(self, key: str) -> "List[object]":
        """All values of ``key``."""
        return list(self._all.get(key, ()))

    def items(self, multi: bool = False) -> "Any":
        """Names and first values; all values with ``multi``."""
        if not multi:
            return super().items()
        return [(name, value) for name, values in self._all.items() for value in values]

    def to_dict(self, flat: bool = True) -> "Dict[str, object]":
        """A plain dict of the first values; of lists of all values unless ``flat``."""
        return dict(self) if flat else {name: list(values) for name, values in self._all.items()}


class Headers:
    """Headers: a mapping whose names match in any case, and that keeps their order."""

    def __init__(self, pairs: "Iterable[Tuple[str, str]]" = ()) -> None:
        self._pairs = [(_title(name), value) for name, value in pairs]

    def _find(self, name: str) -> "List[str]":
        wanted = name.lower()
        return [value for each, value in self._pairs if each.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        values = self._find(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]
        self._pairs.append((name, value))

    set = __setitem__

    def add(self, name: str, value: str) -> None:
        """Add a header, and keep others of the same name."""
        self._pairs.append((name, value))

    def update(self, other: "Union[Mapping[str, str], Iterable[Tuple[str, str]]]") -> None:
        """Set all of ``other``, a mapping or pairs."""
        for name, value in dict(other).items():
            self[name] = value

    def __delitem__(self, name: str) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._find(name))

    def __iter__(self) -> "Iterator[Tuple[str, str]]":
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return "Headers({!r})".format(self._pairs)

    def get(
        self,
        name: str,
        default: object = None,
        type: "Optional[Callable[[str], object]]" = None,
    ) -> "Any":
        """The first value of ``name``, converted with ``type``; ``default`` if there is none."""
        values = self._find(name)
        try:
            return default if not values else values[0] if type is None else type(values[0])
        except (ValueError, TypeError):
            return default

    def getlist(self, name: str) -> "List[str]":
        """All values of ``name``."""
        return self._find(name)

    def keys(self) -> "List[str]":
        """The names, in order."""
        return [name for name, _ in self._pairs]

    def values(self) -> "List[str]":
        """The values, in order."""
        return [value for _, value in self._pairs]

    def items(self) -> "List[Tuple[str, str]]":
        """The names with their values, in order."""
        return list(self._pairs)


def _title(name: str) -> str:
    return name.title() if name.islower() else name
