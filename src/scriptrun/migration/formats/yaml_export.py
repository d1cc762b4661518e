"""Write exported jobs as YAML that reads back as the same text."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

#: characters that YAML reads as line breaks or that UTF-8 cannot encode: they need escapes
_NEEDS_ESCAPE = frozenset("\x85\u2028\u2029\ufeff")


def dump(document: object) -> str:
    """``document`` as YAML."""
    return dump_all([document], _Dumper)


def dump_all(documents: Sequence[object], dumper: type[yaml.SafeDumper] | None = None) -> str:
    """``documents`` as YAML, with multi-line strings as blocks."""
    text: str = yaml.dump_all(
        documents,
        Dumper=dumper or _BlockDumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Escapes what YAML would read as something else."""


class _BlockDumper(yaml.SafeDumper):
    """Writes multi-line strings as block scalars."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_escaped_style(text))


def _represent_block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = _escaped_style(text) or ("|" if "\n" in text else None)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _escaped_style(text: str) -> str | None:
    needs_escape = any(c in _NEEDS_ESCAPE or "\ud800" <= c <= "\udfff" for c in text)
    return '"' if needs_escape else None


_Dumper.add_representer(str, _represent_text)
_BlockDumper.add_representer(str, _represent_block)
