"""Entry scripts with inference_schema's decorators: arguments from JSON, and what Swagger shows."""

import importlib
import inspect
import json

from scriptrun.runtime.serving.errors import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional, Protocol

    from scriptrun.runtime.hints import Json

    Run = Callable[..., object]

    class SchemaUtil(Protocol):
        """The module of inference_schema that reads a function's schemas."""

        def get_input_schema(self, function: Run) -> Optional[Json]:
            """Return the schema of the arguments."""
            ...

        def get_output_schema(self, function: Run) -> Optional[Json]:
            """Return the schema of the result."""
            ...


class InputSchema:
    """The schemas of one decorated run()."""

    def __init__(self, run: "Run", schema_util: "SchemaUtil") -> None:
        self.input: "Json" = schema_util.get_input_schema(run) or {}
        self.output: "Json" = schema_util.get_output_schema(run) or {}
        listed = list(self.input.get("properties") or {})
        parameters = inspect.signature(run).parameters
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        named = {name: p for name, p in parameters.items() if p.kind in kinds}
        self.names = list(dict.fromkeys(listed + list(named)))
        self.takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        optional = {name for name, p in named.items() if p.default is not p.empty}
        required = self.input.get("required")
        if required is not None:
            optional |= set(listed) - set(required)
        self.required = [name for name in self.names if name not in optional]

    def arguments(self, text: str) -> "Json":
        """The arguments for run() in a body. Raises BadRequest for a wrong one."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise BadRequest("The body is not valid JSON: {}".format(problem)) from None
        if not isinstance(given, dict):
            expected = ", ".join(self.names)
            raise BadRequest("The body must be a JSON object with: {}.".format(expected))
        for name in self.required:
            if name not in given:
                text = "A value is not provided for the {!r} parameter."
                raise BadRequest(text.format(name))
        unknown = [] if self.takes_more else sorted(set(given) - set(self.names))
        if unknown:
            text = "The body has the unknown parameter {!r}; run() takes: {}."
            raise BadRequest(text.format(unknown[0], ", ".join(self.names)))
        return given


def of(run: "Run") -> "Optional[InputSchema]":
    """The schemas of ``run``; None if it is not decorated, or has none of an input."""
    if not hasattr(run, "__wrapped__"):
        return None
    try:
        schema_util: "SchemaUtil" = importlib.import_module("inference_schema.schema_util")
    except ImportError:
        return None
    schema = InputSchema(run, schema_util)
    return schema if schema.input or schema.output else None
