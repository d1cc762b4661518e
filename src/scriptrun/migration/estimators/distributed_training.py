"""Convert ``distributed_training`` and its predecessors to ``distributed_job_config``."""

from __future__ import annotations

from typing import Any

import libcst as cst

from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import Refused, Setting

NAMES = (
    "node_count",
    "process_count_per_node",
    "distributed_backend",
    "distributed_training",
    "worker_count",
    "parameter_server_count",
)
_KINDS = {
    "mpi": "mpi",
    "mpiconfiguration": "mpi",
    "ps": "ps",
    "parameterserver": "ps",
    "nccl": "nccl",
    "gloo": "gloo",
    "pytorchconfiguration": "pytorch",
    "tensorflowconfiguration": "tensorflow",
}
#: the attributes of each configuration object
_FIELDS = {
    "mpi": ("process_count_per_node",),
    "mpiconfiguration": ("process_count_per_node", "node_count"),
    "parameterserver": ("worker_count", "parameter_server_count"),
    "pytorchconfiguration": ("communication_backend", "process_count", "node_count"),
    "tensorflowconfiguration": (),
    "nccl": (),
    "gloo": (),
}
_ADVICE = "Use distributed_job_config=MpiConfiguration(...) or PyTorchConfiguration(...)."


class Distributed:
    """The ``distributed_job_config`` of a call as code: ``text``, or "" for none."""

    def __init__(self, program: Program, settings: dict[str, Setting]) -> None:
        self.program, self.settings = program, settings
        self.needs: set[str] = set()
        self.text = self._text()
        asked = self._asked()
        given = asked.node if asked is not None and asked.text != self.text else None
        #: the variable that may become unused
        self.freed = [given] if isinstance(given, cst.Name) else []

    def _text(self) -> str:
        asked = self._asked()
        if asked is None:
            for name in ("node_count", "process_count_per_node"):
                value = self._value(name, 1)
                if isinstance(value, int) and value > 1:
                    raise Refused(f"{name} is {value}, but no distribution is set")
            return ""
        node = constants.follow(self.program, asked.node)
        kind, given = self._kind(node)
        if kind == "tensorflow" or (kind == "mpi" and self._is_all(node)):
            return asked.text
        if kind == "mpi":
            each = self._larger("process_count_per_node", given(0, "process_count_per_node"))
            nodes = self._larger("node_count", given(1, "node_count"))
            return self._call("MpiConfiguration", process_count_per_node=each, node_count=nodes)
        if kind == "ps":
            return self._servers(node, given)
        if kind == "pytorch":
            return self._pytorch(asked, given)
        nodes = self._larger("node_count", "")
        return self._call(
            "PyTorchConfiguration", communication_backend=self._quoted(kind), node_count=nodes
        )

    def _asked(self) -> Setting | None:
        for name in ("distributed_training", "distributed_backend"):
            found = self.settings.get(name)
            if found is not None and self._value(name, None) not in (None, "", False):
                return found
        return None

    def _value(self, name: str, default: Any) -> Any:
        found = self.settings.get(name)
        return default if found is None else constants.constant(self.program, found.node)

    def _kind(self, node: cst.BaseExpression) -> Any:
        """The kind of distribution, and a function that returns its arguments as code."""
        text = constants.constant(self.program, node)
        if isinstance(text, str):
            kind = _KINDS.get(text.lower())
            if kind is None:
                raise Refused(f"unknown distributed_backend {text!r}", _ADVICE)
            return kind, lambda place, name: ""
        kind = None
        if isinstance(node, cst.Call):
            name = self.program.qualified(node.func)
            if name.startswith(("azureml.", "scriptrun")):
                kind = _KINDS.get(name.rpartition(".")[2].lower())
        if kind is None:
            raise Refused("the job's distribution is uncertain", _ADVICE)
        assert isinstance(node, cst.Call)
        return kind, self._arguments(node)

    def _arguments(self, call: cst.Call) -> Any:
        if any(arg.star for arg in call.args):
            raise Refused("the job's distribution is uncertain", _ADVICE)
        changed = self._changed()
        if changed:
            known_here = _FIELDS[self.program.qualified(call.func).rpartition(".")[2].lower()]
            return lambda place, name: f"{changed}.{name}" if name in known_here else ""

        def given(place: int, name: str) -> str:
            for at, arg in enumerate(call.args):
                if (arg.keyword.value if arg.keyword else None) == name or (
                    arg.keyword is None and at == place
                ):
                    if not constants.is_steady(self.program, arg.value) and not self._is_inline(
                        call
                    ):
                        raise Refused("the job's distribution is uncertain", _ADVICE)
                    return self.program.source(arg.value)
            return ""

        return given

    def _is_inline(self, call: cst.Call) -> bool:
        return any(each.node is call for each in self.settings.values())

    def _changed(self) -> str:
        """The variable of a configuration that is modified after its creation, or ""."""
        asked = self._asked()
        name = asked.node if asked is not None else None
        if isinstance(name, cst.Name):
            for each in self.program.references(name.value, name):
                if isinstance(self.program.parent(each), cst.Attribute):
                    return name.value
        return ""

    def _is_all(self, node: cst.BaseExpression) -> bool:
        """Whether an MpiConfiguration already sets everything."""
        if not isinstance(node, cst.Call):
            return False
        same = self.program.qualified(node.func).endswith(".MpiConfiguration")
        return same and all(
            self._value(name, 1) == 1 for name in ("node_count", "process_count_per_node")
        )

    def _larger(self, name: str, own: str) -> str:
        """The larger of the Estimator's and the configuration's value; "" if both are 1."""
        outer = self.settings.get(name)
        texts = [each for each in (outer.text if outer else "", own) if each and each != "1"]
        if len(texts) < 2:
            return texts[0] if texts else ""
        if all(each.isdigit() for each in texts):
            return max(texts, key=int)
        return texts[0] if texts[0] == texts[1] else f"max({', '.join(texts)})"

    def _servers(self, node: cst.BaseExpression, given: Any) -> str:
        if isinstance(node, cst.Call):
            workers, servers = given(0, "worker_count"), given(1, "parameter_server_count")
        else:
            found = [self.settings.get(n) for n in ("worker_count", "parameter_server_count")]
            workers, servers = (each.text if each else "" for each in found)
        return self._call(
            "TensorflowConfiguration",
            worker_count=workers or "1",
            parameter_server_count=servers or "1",
        )

    def _pytorch(self, asked: Setting, given: Any) -> str:
        if "node_count" not in self.settings or self._value("node_count", 1) == 1:
            return asked.text
        return self._call(
            "PyTorchConfiguration",
            communication_backend=given(0, "communication_backend"),
            process_count=given(1, "process_count"),
            node_count=self._larger("node_count", given(2, "node_count")),
        )

    def _call(self, name: str, **values: str) -> str:
        self.needs.add(name)
        return f"{name}({', '.join(f'{key}={text}' for key, text in values.items() if text)})"

    def _quoted(self, kind: str) -> str:
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        return f"{quote}{kind.capitalize()}{quote}"
