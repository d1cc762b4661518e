"""Expand ``from azureml... import *`` to the names that the program uses."""

from __future__ import annotations

import builtins

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import REWRITTEN
from scriptrun.migration.rewrite_program import Result, Told

_KINDS = "Gloo Mpi Nccl ParameterServer"
#: the names that a star import of each SDK module provides
_BROUGHT = {
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
_GIVEN = frozenset([*dir(builtins), "display", "get_ipython", "__file__", "__name__"])


def named(program: Program) -> Result:
    """Expand the SDK's star imports to the names that the program uses.

    Returns no edits if a name may come from elsewhere: from another star import, or if the program
    uses an unbound name that none of these modules is known to provide.
    """
    result = Result()
    stars = [
        each for each in program.nodes(cst.ImportFrom) if isinstance(each.names, cst.ImportStar)
    ]
    homes = [_BROUGHT.get(_module(program, each), "").split() for each in stars]
    free = free_names(program) if stars and all(homes) else set()
    if not free or not free <= {name for names in homes for name in names}:
        return result
    for statement, names in zip(reversed(stars), reversed(homes), strict=True):
        used = sorted(free & set(names))  # a later star import wins
        free -= set(used)
        if used:
            result.edits.append(Edit(*program.span(statement.names), ", ".join(used)))
            what = f"from {_module(program, statement)} import *"
            reason = f"now imports only the used names: {', '.join(used)}"
            result.told.append(Told(program.line(statement), REWRITTEN, what, reason))
    return result


def _module(program: Program, statement: cst.ImportFrom) -> str:
    if statement.module is None or statement.relative:
        return ""
    return program.source(statement.module)


def free_names(program: Program) -> set[str]:
    """The names that the program uses but does not bind."""
    found = set()
    for scope in program.all_scopes():
        for access in scope.accesses:
            node: cst.CSTNode = access.node
            while isinstance(node, cst.Attribute):
                node = node.value
            if isinstance(node, cst.Name) and not access.referents:
                found.add(node.value)
    return found - _GIVEN
