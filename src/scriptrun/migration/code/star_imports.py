"""Expand ``from azureml... import *`` to the names that the program uses."""

from __future__ import annotations

import builtins

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_KINDS = "Gloo Mpi Nccl ParameterServer"
#: the names that a star import of each SDK module provides
_EXPORTED_NAMES = {
    "azureml.core": "ComputeTarget ContainerRegistry Dataset Datastore Environment Experiment "
    "Image Keyvault Model Run RunConfiguration ScriptRun ScriptRunConfig VERSION Webservice "
    "Workspace",
    "azureml.core.compute": "AksCompute AmlCompute ComputeInstance ComputeTarget DatabricksCompute "
    "DataFactoryCompute KubernetesCompute RemoteCompute",
    "azureml.core.conda_dependencies": "CondaDependencies",
    "azureml.core.runconfig": "ContainerRegistry DataReferenceConfiguration DockerConfiguration "
    "MpiConfiguration PyTorchConfiguration RunConfiguration TensorflowConfiguration",
    "azureml.train.dnn": f"Chainer PyTorch TensorFlow {_KINDS}",
    "azureml.train.estimator": f"Estimator {_KINDS}",
    "azureml.train.hyperdrive": "BanditPolicy BayesianParameterSampling EarlyTerminationPolicy "
    "GridParameterSampling HyperDriveConfig HyperDriveRun HyperDriveRunConfig "
    "MedianStoppingPolicy NoTerminationPolicy PrimaryMetricGoal RandomParameterSampling "
    "TruncationSelectionPolicy choice lognormal loguniform normal qlognormal qloguniform qnormal "
    "quniform randint uniform",
    "azureml.train.sklearn": "SKLearn",
    "azureml.widgets": "RunDetails",
}
#: names that are defined without any import
_PREDEFINED_NAMES = frozenset([*dir(builtins), "display", "get_ipython", "__file__", "__name__"])


def expand(program: Program) -> RewriteResult:
    """Expand the SDK's star imports to the names that the program uses.

    Returns no edits if a name may come from elsewhere: from another star import, or if the program
    uses an unbound name that none of these modules is known to provide.
    """
    result = RewriteResult()
    stars = [
        (node, node.names)
        for node in program.nodes(cst.ImportFrom)
        if isinstance(node.names, cst.ImportStar)
    ]
    module_names = [_EXPORTED_NAMES.get(_module(program, node), "").split() for node, _ in stars]
    unbound = free_names(program) if stars and all(module_names) else set()
    if not unbound or not unbound <= {name for names in module_names for name in names}:
        return result
    for (statement, star), names in zip(reversed(stars), reversed(module_names), strict=True):
        used = sorted(unbound & set(names))  # a later star import wins
        unbound -= set(used)
        if used:
            result.edits.append(Edit(*program.span(star), ", ".join(used)))
            subject = f"from {_module(program, statement)} import *"
            reason = f"now imports only the used names: {', '.join(used)}"
            result.findings.append(
                ProgramFinding(program.line(statement), REWRITTEN, subject, reason)
            )
    return result


def _module(program: Program, statement: cst.ImportFrom) -> str:
    if statement.module is None or statement.relative:
        return ""
    return program.source(statement.module)


def free_names(program: Program) -> set[str]:
    """The names that the program uses but does not bind."""
    names = set()
    for scope in program.all_scopes():
        for access in scope.accesses:
            node: cst.CSTNode = access.node
            while isinstance(node, cst.Attribute):
                node = node.value
            if isinstance(node, cst.Name) and not access.referents:
                names.add(node.value)
    return names - _PREDEFINED_NAMES
