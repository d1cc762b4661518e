"""Inputs for fuzzing: real files, mutated by bytes, by words and by values, and invented ones."""

from __future__ import annotations

import json
import re

import yaml
from hypothesis import strategies as st

#: words that have broken readers before
WORDS = [
    *("", "{", "}", "[", "]", ":", "-", "- ", ",", '"', "'", "#", "&a ", "*a", "<<: ", "!!int ", "? ", "| ", "\\"),
    *("null", "true", "~", "-1", "0", "1e999", ".nan", ".inf", "9" * 5000, "1_0", "0x", "1:2", "2020-01-01"),
    *("\x00", "\x1b[31m", "\u202e", "\x85", "\ufeff", "\U0001f600", "\r", "\n", "\t", "  ", "%", "$", "${", "${{"),
    *("==", ">=", "!=", "@", ";", "../", "/", "~/", "file://", "git+https://", "-r x", "-e .", "\\u0000", "\\ud800"),
    *("[" * 500, "{a: " * 300, '{"a":' * 500, "a.b." * 300, "(" * 300, "-" * 3000, "x" * 10_000),
]  # fmt: skip
#: values of every kind that YAML and JSON have, at every place of a document
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([-1, 0, 2**63, 2**2000, 1e308, float("inf"), float("nan")]),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(WORDS),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def changed(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of ``seeds``, changed in a few places, or something else altogether."""
    seed = st.sampled_from(seeds)
    kinds = [with_bytes(seed), with_words(seed), st.binary(max_size=200), invented()]
    structured = [each for each in seeds if parsed(each) is not None]
    if structured:
        kinds += [with_values(st.sampled_from(structured))] * 2
    return st.one_of(kinds)


@st.composite
def with_bytes(draw, seeds):
    """A seed with parts cut, repeated or overwritten."""
    data = draw(seeds)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        data = (
            data[:start] + draw(st.binary(max_size=4)) + data[draw(st.sampled_from([start, end])) :]
        )
    return data


@st.composite
def with_words(draw, seeds):
    """A seed with words replaced, repeated and added."""
    words = re.findall(r"\w+|\s+|.", draw(seeds).decode("utf-8", "replace"), re.DOTALL)
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(words)))
        word = draw(st.sampled_from(WORDS) | st.sampled_from(words or [""]))
        words[place : place + draw(st.integers(0, 2))] = [word]
    return "".join(words).encode("utf-8", "surrogatepass")


@st.composite
def with_values(draw, seeds):
    """A seed, YAML or JSON, in which a value has another kind or a key another name."""
    seed = draw(seeds)
    document = parsed(seed)
    for _ in range(draw(st.integers(1, 3))):
        outer = draw(st.sampled_from([each for each in containers(document) if each] or [None]))
        if outer is None:
            break
        keys = list(outer) if isinstance(outer, dict) else range(len(outer))
        key = draw(st.sampled_from(list(keys)))
        if isinstance(outer, dict) and draw(st.booleans()):
            outer[draw(st.sampled_from(WORDS) | st.text(max_size=4))] = outer.pop(key)
        else:
            outer[key] = draw(VALUES)
    return dumped(document, seed)


def invented() -> st.SearchStrategy[bytes]:
    """Values of any kind, as YAML and as JSON."""
    return st.tuples(VALUES, st.sampled_from([b"{", b""])).map(lambda pair: dumped(*pair))


def dumped(document, seed: bytes) -> bytes:
    """``document`` in the format of ``seed``."""
    if seed.lstrip().startswith(b"{"):
        return json.dumps(document).encode()
    return yaml.safe_dump(document, sort_keys=False).encode("utf-8", "surrogatepass")


def parsed(seed: bytes):
    """The mapping or list in ``seed``; None if it is neither YAML nor JSON."""
    try:
        document = yaml.safe_load(seed)
    except (yaml.YAMLError, ValueError):
        return None
    return document if isinstance(document, dict | list) else None


def containers(value):
    """The mappings and lists in ``value``."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)
