"""Convert ``distributed_training`` and its predecessors to ``distributed_job_config``."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: the code of an argument, by its position and name; "" if it has none
    Argument = Callable[[int, str], str]

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


class DistributionCode:
    """The ``distributed_job_config`` of a call as code: ``text``, or "" for none."""

    def __init__(self, program: Program, settings: dict[str, Setting]) -> None:
        self.program, self.settings = program, settings
        self.needs: set[str] = set()
        self.text = self._build()
        setting = self._distribution_setting()
        node = setting.node if setting is not None and setting.text != self.text else None
        #: the variable that may become unused
        self.freed = [node] if isinstance(node, cst.Name) else []

    def _build(self) -> str:
        setting = self._distribution_setting()
        if setting is None:
            for name in ("node_count", "process_count_per_node"):
                value = self._value(name, 1)
                if isinstance(value, int) and value > 1:
                    raise CannotRewrite(f"{name} is {value}, but no distribution is set")
            return ""
        node = constants.resolve(self.program, setting.node)
        kind, argument = self._kind(node)
        if kind == "tensorflow" or (kind == "mpi" and self._is_complete(node)):
            return setting.text
        if kind == "mpi":
            processes = self._larger(
                "process_count_per_node", argument(0, "process_count_per_node")
            )
            nodes = self._larger("node_count", argument(1, "node_count"))
            return self._call_code(
                "MpiConfiguration", process_count_per_node=processes, node_count=nodes
            )
        if kind == "ps":
            return self._parameter_servers(node, argument)
        if kind == "pytorch":
            return self._pytorch(setting, argument)
        nodes = self._larger("node_count", "")
        return self._call_code(
            "PyTorchConfiguration", communication_backend=self._quoted(kind), node_count=nodes
        )

    def _distribution_setting(self) -> Setting | None:
        for name in ("distributed_training", "distributed_backend"):
            setting = self.settings.get(name)
            if setting is not None and self._value(name, None) not in (None, "", False):
                return setting
        return None

    def _value(self, name: str, default: object) -> object:
        setting = self.settings.get(name)
        return default if setting is None else constants.constant(self.program, setting.node)

    def _kind(self, node: cst.BaseExpression) -> tuple[str, Argument]:
        """The kind of distribution, and a function that returns its arguments as code."""
        text = constants.constant(self.program, node)
        if isinstance(text, str):
            kind = _KINDS.get(text.lower())
            if kind is None:
                raise CannotRewrite(f"unknown distributed_backend {text!r}", _ADVICE)
            return kind, lambda position, name: ""
        kind = None
        if isinstance(node, cst.Call):
            name = self.program.qualified_name(node.func)
            if name.startswith(("azureml.", "scriptrun")):
                kind = _KINDS.get(name.rpartition(".")[2].lower())
        if kind is None:
            raise CannotRewrite("the job's distribution is uncertain", _ADVICE)
        assert isinstance(node, cst.Call)
        return kind, self._arguments(node)

    def _arguments(self, call: cst.Call) -> Argument:
        if any(arg.star for arg in call.args):
            raise CannotRewrite("the job's distribution is uncertain", _ADVICE)
        variable = self._modified_variable()
        if variable:
            fields = _FIELDS[self.program.qualified_name(call.func).rpartition(".")[2].lower()]
            return lambda argument_index, name: f"{variable}.{name}" if name in fields else ""

        def argument(position: int, name: str) -> str:
            for index, arg in enumerate(call.args):
                if (arg.keyword.value if arg.keyword else None) == name or (
                    arg.keyword is None and index == position
                ):
                    if not constants.is_stable(self.program, arg.value) and not self._is_inline(
                        call
                    ):
                        raise CannotRewrite("the job's distribution is uncertain", _ADVICE)
                    return self.program.source(arg.value)
            return ""

        return argument

    def _is_inline(self, call: cst.Call) -> bool:
        return any(setting.node is call for setting in self.settings.values())

    def _modified_variable(self) -> str:
        """The variable of a configuration that is modified after its creation, or ""."""
        setting = self._distribution_setting()
        name = setting.node if setting is not None else None
        if isinstance(name, cst.Name):
            for use in self.program.references(name.value, name):
                if isinstance(self.program.parent(use), cst.Attribute):
                    return name.value
        return ""

    def _is_complete(self, node: cst.BaseExpression) -> bool:
        """Whether an MpiConfiguration already sets everything."""
        if not isinstance(node, cst.Call):
            return False
        is_mpi = self.program.qualified_name(node.func).endswith(".MpiConfiguration")
        return is_mpi and all(
            self._value(name, 1) == 1 for name in ("node_count", "process_count_per_node")
        )

    def _larger(self, name: str, configured: str) -> str:
        """The larger of the Estimator's and the configuration's value; "" if both are 1."""
        setting = self.settings.get(name)
        texts = [
            text for text in (setting.text if setting else "", configured) if text and text != "1"
        ]
        if len(texts) < 2:
            return texts[0] if texts else ""
        if all(count.isdigit() for count in texts):
            return max(texts, key=int)
        return texts[0] if texts[0] == texts[1] else f"max({', '.join(texts)})"

    def _parameter_servers(self, node: cst.BaseExpression, argument: Argument) -> str:
        if isinstance(node, cst.Call):
            workers, servers = argument(0, "worker_count"), argument(1, "parameter_server_count")
        else:
            settings = [self.settings.get(n) for n in ("worker_count", "parameter_server_count")]
            workers, servers = (setting.text if setting else "" for setting in settings)
        return self._call_code(
            "TensorflowConfiguration",
            worker_count=workers or "1",
            parameter_server_count=servers or "1",
        )

    def _pytorch(self, setting: Setting, argument: Argument) -> str:
        if "node_count" not in self.settings or self._value("node_count", 1) == 1:
            return setting.text
        return self._call_code(
            "PyTorchConfiguration",
            communication_backend=argument(0, "communication_backend"),
            process_count=argument(1, "process_count"),
            node_count=self._larger("node_count", argument(2, "node_count")),
        )

    def _call_code(self, name: str, **values: str) -> str:
        self.needs.add(name)
        return f"{name}({', '.join(f'{key}={text}' for key, text in values.items() if text)})"

    def _quoted(self, kind: str) -> str:
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        return f"{quote}{kind.capitalize()}{quote}"
