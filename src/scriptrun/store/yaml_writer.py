"""Write YAML that every reader reads back as it was, whether it follows YAML 1.1 or 1.2."""

from __future__ import annotations

import functools
import re

from scriptrun.store import yaml_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import yaml

#: characters that YAML reads as line breaks or that UTF-8 cannot encode: they need escapes
_NEEDS_ESCAPE = "[\x85\u2028\u2029\ufeff\ud800-\udfff]"
#: unquoted texts that some reader takes for a number or a boolean, besides those of YAML 1.2
_OTHER_SCALARS = (
    r"[yYnN]|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?[0-9_]*\.[0-9_]+|[-+]?0[bx][0-9a-fA-F_]+"
)


def dump(value: object, blocks: bool = False, empty_nulls: bool = False, width: int = 100) -> str:
    """``value`` as YAML, with its keys in order.

    With ``blocks``, texts of several lines are block scalars; with ``empty_nulls``, null is empty.
    """
    return dump_all([value], blocks, empty_nulls, width)


def dump_all(
    values: Sequence[object], blocks: bool = False, empty_nulls: bool = False, width: int = 100
) -> str:
    """The documents ``values`` as one file, like ``dump``."""
    import yaml

    text: str = yaml.dump_all(
        values,
        Dumper=_dumper(blocks, empty_nulls),
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=width,
    )
    return text


def is_unquoted_text(scalar: yaml_reader.PlainScalar) -> bool:
    """Whether PyYAML, which follows YAML 1.1, reads the unquoted ``scalar`` as text."""
    import yaml

    rules = yaml.SafeDumper.yaml_implicit_resolvers.get(scalar[:1], ())
    return not any(pattern.match(scalar) for _, pattern in rules)


def writes(scalar: yaml_reader.PlainScalar) -> bool:
    """Whether ``dump`` writes the value of ``scalar`` as the text that ``scalar`` has."""
    return dump([scalar.value]) == f"- {scalar}\n"


@functools.cache
def _dumper(blocks: bool, empty_nulls: bool) -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes no anchors."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def represent_none(dumper: yaml.SafeDumper, _: None) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:null", "" if empty_nulls else "null")

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text, blocks))

    Dumper.add_representer(type(None), represent_none)
    Dumper.add_representer(str, represent_text)
    Dumper.add_representer(yaml_reader.PlainScalar, represent_text)
    return Dumper


def _style(text: str, blocks: bool) -> str | None:
    if re.search(_NEEDS_ESCAPE, text):
        return '"'
    if re.fullmatch(_OTHER_SCALARS, text) or yaml_reader.kind_of(text) != "str":
        return "'"
    return "|" if blocks and "\n" in text else None
