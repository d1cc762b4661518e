"""Replace code that makes sure that a cluster exists by the cluster's name.

scriptrun rents no machines: a compute target is added to the workspace once, by a command. What the
code says of its size is in the findings.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

import libcst as cst

from scriptrun.migration.code import constants, removals
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.findings import LEFT_ALONE, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_TYPES = r"azureml\.core(\.\w+)*\.(ComputeTarget|AmlCompute|AksCompute)"
_CLASS = re.compile(rf"{_TYPES}$")
_CREATE = re.compile(rf"{_TYPES}\.(create|attach)$")
_SIZE = re.compile(rf"{_TYPES}\.(provisioning|attach)_configuration$")
#: a cluster that serves models
_FOR_SERVICES = re.compile(r"\.AksCompute\b")
#: methods of a cluster that only look at it, or wait for it
_IDLE = ("wait_for_completion", "get_status", "refresh_state", "get")
#: what comments mention above code that makes sure that a cluster exists
_SPEAKS_OF_IT = re.compile(r"verif|exist|creat|provision|check|attach|found|wait|try", re.I)
#: the arguments, attributes and calls that take a compute target by its name
_TAKEN_AS = ("compute_target", "target", "default_compute_target", "deployment_target")
#: the calls that take a cluster for services by position, and where
_DEPLOYMENTS = {"Model.deploy": 5, "Webservice.deploy_from_image": 4}
_CONFIGURATIONS = ("provisioning_configuration", "attach_configuration")
_BLOCKS = (cst.IndentedBlock, cst.Module)


def rewrite(program: Program) -> RewriteResult:
    """Replace what finds or creates clusters where all uses of the cluster are visible."""
    result, imports = RewriteResult(), Imports(program)
    done: list[Cluster] = []
    seen: set[cst.CSTNode] = set()
    for node in _statements(program):
        if not seen.isdisjoint(program.ancestors(node)):
            continue
        try:
            cluster = _read(program, node)
            if cluster is None:
                continue
            seen.add(node)
            result.edits += cluster.edits()
        except CannotRewrite as problem:
            seen.add(node)
            result.findings.append(_finding(program, node, LEFT_ALONE, problem.reason))
            continue
        done.append(cluster)
        result.findings.append(
            ProgramFinding(
                program.line(node),
                REWRITTEN,
                f"compute target {cluster.label}",
                "is used by its name; code that looks for it or creates it is gone",
                cluster.advice,
            )
        )
    spans = [span for cluster in done for span in cluster.removed]
    if spans:
        names = {root.value for cluster in done for root in _names(cluster.name)}
        result.edits += removals.unused(program, spans, imports, names)
    result.edits += imports.edits()
    return result


def _names(node: cst.CSTNode) -> Iterator[cst.Name]:
    if isinstance(node, cst.Name):
        yield node
    for child in node.children:
        yield from _names(child)


def _finding(program: Program, node: cst.CSTNode, kind: str, reason: str) -> ProgramFinding:
    return ProgramFinding(program.line(node), kind, "the creation of a compute target", reason)


def _statements(program: Program) -> Iterator[cst.CSTNode]:
    """What may make sure that a cluster exists, outer statements first."""
    for node in program.nodes(cst.Try, cst.If, cst.SimpleStatementLine):
        text = program.source(node)
        if any(kind in text for kind in ("ComputeTarget", "AmlCompute", "AksCompute")):
            yield node


class Cluster:
    """The code that finds or creates the cluster called ``name``, and puts it into ``variable``."""

    def __init__(
        self, program: Program, statement: cst.CSTNode, variable: cst.Name, name: cst.BaseExpression
    ) -> None:
        self.program, self.statement = program, statement
        self.variable, self.name = variable, name
        self.sizes: list[cst.Call] = []
        self.removed: list[tuple[int, int]] = []

    @property
    def label(self) -> str:
        """The cluster's name, or the code that says it."""
        name = _constant_name(self.program, self.name)
        return name if isinstance(name, str) else self.program.source(self.name)

    @property
    def advice(self) -> str:
        """What to do for the cluster: nothing, or the command that adds such a target."""
        sizes = [self.program.qualified_name(call.func) for call in self.sizes]
        if any(map(_FOR_SERVICES.search, sizes)):
            return (
                f"Services run on this machine. To change that, add it, e.g. with: {self.command}"
            )
        return f"Add it once, e.g. with: {self.command}"

    @property
    def command(self) -> str:
        """The command that adds such a target."""
        constant = _constant_name(self.program, self.name)
        name = shlex.quote(constant) if isinstance(constant, str) else "NAME"
        nodes = [
            constants.constant(self.program, arg.value)
            for call in self.sizes
            for arg in call.args
            if arg.keyword is not None and arg.keyword.value == "max_nodes"
        ]
        if nodes and isinstance(nodes[0], int) and nodes[0] > 0:
            return f"scriptrun compute add {name} --class Local --max-runs {nodes[0]}"
        return f"scriptrun compute alias {name} local"

    def edits(self) -> list[Edit]:
        """The edits that leave the name only. Raises CannotRewrite."""
        program = self.program
        text = f"{self.variable.value} = {program.source(self.name)}"
        start, end = program.span(self.statement)
        begin = removals.comments_above(program, self.statement, _SPEAKS_OF_IT)
        edits = [Edit(start, end, text)]
        if self.variable.value in program.hidden:
            raise CannotRewrite("a non-Python line uses it")
        if begin < program.line_start(self.statement):
            edits.append(Edit(begin, program.line_start(self.statement), ""))
        self.removed.append((start, end))
        for assignment in program.assignments(self.variable.value, self.variable):
            node = getattr(assignment, "node", None)
            if node is None or self.statement not in program.ancestors(node):
                raise CannotRewrite(f"{self.variable.value} has other values, too")
        for use in program.references(self.variable.value, self.variable):
            if self.statement not in program.ancestors(use):
                edits += self._use(use)
        for call in self.sizes:
            edits += self._size(call)
        return list(dict.fromkeys(edits))

    def _use(self, use: cst.CSTNode) -> list[Edit]:
        """The edits for one use of the cluster. Raises CannotRewrite."""
        program = self.program
        parent = program.parent(use)
        if isinstance(parent, cst.Attribute):
            idle = _idle_statement(program, parent)
            if idle is not None:
                return self._remove(idle)
            if parent.attr.value == "name":
                return [Edit(program.span(use)[1], program.span(parent)[1], "")]
            raise CannotRewrite(f"the code uses {program.source(parent)}")
        if isinstance(parent, cst.Assign) and _is_target(parent):
            return []
        if isinstance(parent, cst.Arg) and _takes_name(program, parent):
            return []
        if isinstance(parent, cst.Return):
            raise CannotRewrite(f"{self.variable.value} is returned, and its use is not visible")
        raise CannotRewrite(f"{self.variable.value} is used for more than submitting")

    def _size(self, call: cst.Call) -> list[Edit]:
        """Remove the size, which may be defined before the statement."""
        line = self.program.statement(call)
        if line is None or line is self.statement:
            return []
        if self.statement in self.program.ancestors(line):
            return []
        return [*self._remove(line), *self._settings(line)]

    def _settings(self, line: cst.SimpleStatementLine) -> list[Edit]:
        """Remove calls that change the size, such as ``config.enable_ssl()``."""
        program, assignment = self.program, line.body[0]
        if not isinstance(assignment, cst.Assign):
            return []
        target = assignment.targets[0].target
        if not isinstance(target, cst.Name):
            return []
        edits = []
        for use in program.references(target.value, target):
            attribute = program.parent(use)
            if not isinstance(attribute, cst.Attribute):
                continue
            call = program.statement(use)
            own = f"{program.source(attribute)}("
            if call is None or len(call.body) != 1 or not program.source(call).startswith(own):
                raise CannotRewrite(f"the code uses {program.source(attribute)}")
            if not isinstance(program.parent(call), cst.Module):
                raise CannotRewrite(f"{program.source(attribute)} is called conditionally")
            edits += self._remove(call)
        return edits

    def _remove(self, line: cst.SimpleStatementLine) -> list[Edit]:
        edit = removals.line(self.program, line)
        self.removed.append((edit.start, edit.end))
        return [edit]


def _constant_name(program: Program, name: cst.BaseExpression) -> object:
    """The name, if it is certain or has a default: ``os.environ.get("CLUSTER", "cpu")``."""
    call = constants.resolve(program, name)
    if isinstance(call, cst.Call) and len(call.args) == 2 and removals.is_setting(program, call):
        return constants.constant(program, call.args[1].value)
    return constants.constant(program, name)


def _read(program: Program, node: cst.CSTNode) -> Cluster | None:
    """The cluster that ``node`` finds or creates; None if it does not. Raises CannotRewrite."""
    if isinstance(node, cst.SimpleStatementLine):
        return _read_line(program, node)
    lines = [*_simple_statements(node)]
    clusters = [cluster for line in lines if (cluster := _read_line(program, line)) is not None]
    created = [cluster for cluster in clusters if cluster.sizes]
    if not created or not _has_known_shape(program, node):
        return None
    labels = {(cluster.variable.value, cluster.label) for cluster in clusters}
    if len(labels) > 1 or not all(_is_idle(program, line, clusters[0]) for line in lines):
        raise CannotRewrite("it does more than finding or creating one compute target")
    cluster = Cluster(program, node, clusters[0].variable, created[0].name)
    cluster.sizes = created[0].sizes
    return cluster


def _has_known_shape(program: Program, node: cst.CSTNode) -> bool:
    """Whether the statement looks for a compute target, and handles that none is there."""
    if isinstance(node, cst.Try):
        return len(node.handlers) == 1 and node.finalbody is None
    if isinstance(node, cst.If) and isinstance(node.orelse, cst.Else):
        return "compute_targets" in program.source(node.test)
    return False


def _simple_statements(node: cst.CSTNode) -> Iterator[cst.SimpleStatementLine]:
    if isinstance(node, cst.SimpleStatementLine):
        yield node
        return
    for child in node.children:
        yield from _simple_statements(child)


def _read_line(program: Program, line: cst.SimpleStatementLine) -> Cluster | None:
    """The cluster that one line finds or creates."""
    statement = line.body[0] if len(line.body) == 1 else None
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    target, call = statement.targets[0].target, statement.value
    if not isinstance(target, cst.Name):
        return None
    name = _looked_up(program, call)
    if name is not None:
        return Cluster(program, line, target, name)
    if not isinstance(call, cst.Call) or not _CREATE.match(program.qualified_name(call.func)):
        return None
    name, size = _argument(call, 1, "name"), _argument(call, 2, *_CONFIGURATIONS)
    size = constants.resolve(program, size) if size is not None else None
    if name is None or not isinstance(size, cst.Call) or not _is_size(program, size):
        raise CannotRewrite("its configuration is not visible")
    cluster = Cluster(program, line, target, name)
    cluster.sizes = [size]
    return cluster


def _is_size(program: Program, call: cst.Call) -> bool:
    return bool(_SIZE.match(program.qualified_name(call.func)))


def _looked_up(program: Program, value: cst.BaseExpression) -> cst.BaseExpression | None:
    """The name that ``value`` looks up in a workspace, or None."""
    if isinstance(value, cst.Call) and _CLASS.match(program.qualified_name(value.func)):
        return _argument(value, 1, "name")
    return subscripted(value) if isinstance(value, cst.Subscript) else None


def subscripted(value: cst.Subscript) -> cst.BaseExpression | None:
    """The name in ``ws.compute_targets[name]``; None for other subscripts."""
    index = value.slice[0].slice
    is_lookup = (
        isinstance(value.value, cst.Attribute) and value.value.attr.value == "compute_targets"
    )
    return index.value if is_lookup and isinstance(index, cst.Index) else None


def _argument(call: cst.Call, position: int, *names: str) -> cst.BaseExpression | None:
    for index, arg in enumerate(call.args):
        is_named = arg.keyword is not None and arg.keyword.value in names
        if is_named or (arg.keyword is None and not arg.star and index == position):
            return arg.value
    return None


def _is_idle(program: Program, line: cst.SimpleStatementLine, cluster: Cluster) -> bool:
    """Whether the line does nothing but find, create, describe or print the cluster."""
    if len(line.body) != 1 or _read_line(program, line) is not None:
        return len(line.body) == 1
    statement = line.body[0]
    if isinstance(statement, cst.Assign):
        return isinstance(statement.value, cst.Call) and _is_size(program, statement.value)
    if not isinstance(statement, cst.Expr) or not isinstance(statement.value, cst.Call):
        return isinstance(statement, cst.Pass)
    call = statement.value
    root = program.source(call.func)
    is_own = root.split(".")[0] == cluster.variable.value and root.split(".")[-1] in _IDLE
    return is_own or root == "print" or bool(re.match(r"(logg(er|ing)|log)\.\w+$", root))


def _idle_statement(program: Program, use: cst.CSTNode) -> cst.SimpleStatementLine | None:
    """The statement around ``use`` if it waits for the cluster, prints its state or deletes it."""
    attribute = use
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value not in (
        *_IDLE,
        "status",
        "provisioning_state",
        "provisioning_errors",
        "delete",
        "detach",
    ):
        return None
    line = program.statement(use)
    statement = line.body[0] if line is not None and len(line.body) == 1 else None
    if line is None or not isinstance(statement, cst.Expr):
        return None
    block = program.parent(line)
    if not isinstance(block, cst.Module) and (
        not isinstance(block, cst.IndentedBlock) or len(block.body) == 1
    ):
        return None
    text = program.source(statement.value)
    own = program.source(attribute)
    is_chain = text.startswith(f"{own}(")
    return line if is_chain or text.startswith("print(") else None


def _is_target(assignment: cst.Assign) -> bool:
    """Whether it sets a compute target of something else."""
    target = assignment.targets[0].target
    return (
        len(assignment.targets) == 1
        and isinstance(target, cst.Attribute)
        and target.attr.value in _TAKEN_AS
    )


def _takes_name(program: Program, arg: cst.Arg) -> bool:
    """Whether the argument is a compute target, which may be given by its name."""
    if arg.keyword is not None and arg.keyword.value in _TAKEN_AS:
        return True
    call = program.parent(arg)
    if not isinstance(call, cst.Call):
        return False
    position = next(index for index, other in enumerate(call.args) if other is arg)
    name = ".".join(program.qualified_name(call.func).split(".")[-2:])
    is_target = arg.keyword is None and _DEPLOYMENTS.get(name) == position
    return is_target or program.source(call.func) in ("print", "str")


def created(program: Program) -> set[str]:
    """The names of the targets that the program still creates."""
    if "create" not in program.text:
        return set()
    names: Iterable[object] = (
        constants.constant(program, name)
        for call in program.calls
        if (program.qualified_name(call.func) or program.source(call.func)).endswith(".create")
        and (name := _argument(call, 1, "name")) is not None
    )
    return {name for name in names if isinstance(name, str)}
