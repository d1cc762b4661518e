"""The fields of a run that queries, columns and sort orders name."""

from __future__ import annotations

from scriptrun.spec.values import Value

#: the kinds of values of fields; a FLAG is true or false, ANY is a number or text as the run has it
TEXT, NUMBER, TIME, DURATION, STATE, ANY = "text", "number", "time", "duration", "state", "any"
FLAG = "flag"

PARAMS, METRICS, TAGS, PROPERTIES = "params", "metrics", "tags", "properties"
#: the lowest and the highest value that a run logged of a metric
LOWEST, HIGHEST = "min", "max"


class Field(Value):
    """A field of a run: ``name`` in ``space``, such as ``alpha`` in ``params``; ``kind`` of value.

    ``space`` is "" for what every run has.
    """

    space: str
    name: str
    kind: str = ANY

    @property
    def text(self) -> str:
        """The field as it is written in a query."""
        if not self.space:
            return self.name
        name = self.name if is_plain(self.name) else '"' + _escaped(self.name) + '"'
        return f"{self.space}.{name}"


class KnownField(Value):
    """A field that every run has: its kind of value, and what it is in a few words."""

    kind: str
    line: str


#: what every run has
FIELDS = {
    "id": KnownField(TEXT, "the run's ID"),
    "name": KnownField(TEXT, "the display name; of a run without one, the short name"),
    "short_name": KnownField(TEXT, "the short name, such as `brisk-otter-12`"),
    "experiment": KnownField(TEXT, "the experiment"),
    "state": KnownField(STATE, "the state, such as `failed` or `running`"),
    "reason": KnownField(TEXT, "why the run failed, was canceled or waits"),
    "exit_code": KnownField(NUMBER, "the script's exit code"),
    "submitted": KnownField(TIME, "when the run was submitted"),
    "started": KnownField(TIME, "when the script started"),
    "ended": KnownField(TIME, "when the run ended"),
    "duration": KnownField(DURATION, "how long the run took, or has been running"),
    "waited": KnownField(
        DURATION, "how long the run waited until its script started, or has been waiting"
    ),
    "script": KnownField(TEXT, "the script or command"),
    "arguments": KnownField(TEXT, "the script's arguments, separated by spaces"),
    "target": KnownField(TEXT, "the compute target"),
    "user": KnownField(TEXT, "who submitted the run"),
    "kind": KnownField(TEXT, "`run`, `sweep` or `service`"),
    "parent": KnownField(TEXT, "the ID of the parent run; only child runs have one"),
    "note": KnownField(TEXT, "the note; see `scriptrun note`"),
    "archived": KnownField(FLAG, "whether the run is archived"),
    "pinned": KnownField(FLAG, "whether the run is pinned"),
    "removed": KnownField(FLAG, "whether the run is removed"),
}
#: what a run may have, by name
SPACES = {
    PARAMS: "a parameter: an argument of the script, or a value that it logged once or with MLflow",
    METRICS: "the last value logged of a metric",
    LOWEST: "the lowest value logged of a metric",
    HIGHEST: "the highest value logged of a metric",
    TAGS: "a tag",
    PROPERTIES: "a property, such as `properties.azureml.git.branch`",
}
#: other spellings
ALIASES = {
    "compute": "target",
    "status": "state",
    "display_name": "name",
    "created": "submitted",
    "began": "started",
    "finished": "ended",
    "took": "duration",
    "command": "script",
    "args": "arguments",
    "run": "id",
    "description": "note",
}
_SPACE_ALIASES = {
    "param": PARAMS,
    "parameters": PARAMS,
    "parameter": PARAMS,
    "metric": METRICS,
    "tag": TAGS,
    "property": PROPERTIES,
}
#: characters that end a word of a query
ENDS_WORD = frozenset("()=!<>~,\"'")


def parse(text: str) -> Field | None:
    """The field called ``text``; None if there is none."""
    first, dot, rest = text.partition(".")
    space = space_of(first)
    if dot and rest and space:
        return Field(space, canonical(space, rest))
    name = text.lower().replace("-", "_")
    name = ALIASES.get(name, name)
    return known(name) if name in FIELDS else None


def space_of(text: str) -> str:
    """The space called ``text``, such as ``params``; "" if there is none."""
    space = _SPACE_ALIASES.get(text.lower(), text.lower())
    return space if space in SPACES else ""


def known(name: str) -> Field:
    """The field ``name`` that every run has."""
    return Field("", name, FIELDS[name].kind)


def canonical(space: str, name: str) -> str:
    """``name`` as the index has it: in parameters, ``-`` and ``_`` are the same, as in argparse."""
    return name.replace("-", "_") if space == PARAMS else name


def is_plain(name: str) -> bool:
    """Whether ``name`` needs no quotes in a query."""
    return bool(name) and not any(each in ENDS_WORD or each.isspace() for each in name)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
