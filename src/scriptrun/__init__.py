"""Describe a training job once, run it anywhere, and keep a true record of all that happened.

The public names live here and are imported when they are first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Workspace": "scriptrun.core.workspace",
    "Experiment": "scriptrun.core.experiment",
    "Run": "scriptrun.core.run",
    "DataPath": "scriptrun.core.datastore",
    "DataReference": "scriptrun.core.datastore",
    "Dataset": "scriptrun.core.dataset",
    "Datastore": "scriptrun.core.datastore",
    "OutputFileDatasetConfig": "scriptrun.core.dataset",
    "ScriptRunConfig": "scriptrun.config.script_run_config",
    "RunConfiguration": "scriptrun.config.run_configuration",
    "Environment": "scriptrun.config.environments.environment",
    "DEFAULT_CPU_IMAGE": "scriptrun.config.environments.images",
    "DEFAULT_GPU_IMAGE": "scriptrun.config.environments.images",
    "CondaDependencies": "scriptrun.config.environments.conda_dependencies",
    "ContainerRegistry": "scriptrun.config.environments.sections",
    "DockerBuildContext": "scriptrun.config.environments.sections",
    "DockerConfiguration": "scriptrun.config.sections",
    "Model": "scriptrun.core.model",
    "MpiConfiguration": "scriptrun.config.distributed",
    "PyTorchConfiguration": "scriptrun.config.distributed",
    "TensorflowConfiguration": "scriptrun.config.distributed",
    "Local": "scriptrun.engines.local.engine",
    "HyperDriveConfig": "scriptrun.config.sweeps.hyperdrive",
    "PrimaryMetricGoal": "scriptrun.config.sweeps.hyperdrive",
    "HyperDriveRun": "scriptrun.sweeps.hyperdrive_run",
    "RandomParameterSampling": "scriptrun.config.sweeps.sampling",
    "GridParameterSampling": "scriptrun.config.sweeps.sampling",
    "BayesianParameterSampling": "scriptrun.config.sweeps.sampling",
    "BanditPolicy": "scriptrun.config.sweeps.early_stopping",
    "MedianStoppingPolicy": "scriptrun.config.sweeps.early_stopping",
    "TruncationSelectionPolicy": "scriptrun.config.sweeps.early_stopping",
    "NoTerminationPolicy": "scriptrun.config.sweeps.early_stopping",
    "AshaPolicy": "scriptrun.config.sweeps.early_stopping",
    "choice": "scriptrun.config.sweeps.search_space",
    "randint": "scriptrun.config.sweeps.search_space",
    "uniform": "scriptrun.config.sweeps.search_space",
    "quniform": "scriptrun.config.sweeps.search_space",
    "loguniform": "scriptrun.config.sweeps.search_space",
    "qloguniform": "scriptrun.config.sweeps.search_space",
    "normal": "scriptrun.config.sweeps.search_space",
    "qnormal": "scriptrun.config.sweeps.search_space",
    "lognormal": "scriptrun.config.sweeps.search_space",
    "qlognormal": "scriptrun.config.sweeps.search_space",
    "exceptions": "scriptrun.exceptions",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scriptrun' has no attribute {name!r}")
    module = importlib.import_module(home)
    value = module if name == "exceptions" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
