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
    "InferenceConfig": "scriptrun.config.services.inference_config",
    "Webservice": "scriptrun.services.webservice",
    "LocalWebservice": "scriptrun.services.webservice",
    "AciWebservice": "scriptrun.services.webservice",
    "AksWebservice": "scriptrun.services.webservice",
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

TYPE_CHECKING = False
if TYPE_CHECKING:  # the same names for type checkers and editors
    from scriptrun import exceptions as exceptions
    from scriptrun.config.distributed import MpiConfiguration as MpiConfiguration
    from scriptrun.config.distributed import PyTorchConfiguration as PyTorchConfiguration
    from scriptrun.config.distributed import TensorflowConfiguration as TensorflowConfiguration
    from scriptrun.config.environments.conda_dependencies import (
        CondaDependencies as CondaDependencies,
    )
    from scriptrun.config.environments.environment import Environment as Environment
    from scriptrun.config.environments.images import DEFAULT_CPU_IMAGE as DEFAULT_CPU_IMAGE
    from scriptrun.config.environments.images import DEFAULT_GPU_IMAGE as DEFAULT_GPU_IMAGE
    from scriptrun.config.environments.sections import ContainerRegistry as ContainerRegistry
    from scriptrun.config.environments.sections import DockerBuildContext as DockerBuildContext
    from scriptrun.config.run_configuration import RunConfiguration as RunConfiguration
    from scriptrun.config.script_run_config import ScriptRunConfig as ScriptRunConfig
    from scriptrun.config.sections import DockerConfiguration as DockerConfiguration
    from scriptrun.config.services.inference_config import InferenceConfig as InferenceConfig
    from scriptrun.config.sweeps.early_stopping import AshaPolicy as AshaPolicy
    from scriptrun.config.sweeps.early_stopping import BanditPolicy as BanditPolicy
    from scriptrun.config.sweeps.early_stopping import MedianStoppingPolicy as MedianStoppingPolicy
    from scriptrun.config.sweeps.early_stopping import NoTerminationPolicy as NoTerminationPolicy
    from scriptrun.config.sweeps.early_stopping import (
        TruncationSelectionPolicy as TruncationSelectionPolicy,
    )
    from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig as HyperDriveConfig
    from scriptrun.config.sweeps.hyperdrive import PrimaryMetricGoal as PrimaryMetricGoal
    from scriptrun.config.sweeps.sampling import (
        BayesianParameterSampling as BayesianParameterSampling,
    )
    from scriptrun.config.sweeps.sampling import GridParameterSampling as GridParameterSampling
    from scriptrun.config.sweeps.sampling import RandomParameterSampling as RandomParameterSampling
    from scriptrun.config.sweeps.search_space import choice as choice
    from scriptrun.config.sweeps.search_space import lognormal as lognormal
    from scriptrun.config.sweeps.search_space import loguniform as loguniform
    from scriptrun.config.sweeps.search_space import normal as normal
    from scriptrun.config.sweeps.search_space import qlognormal as qlognormal
    from scriptrun.config.sweeps.search_space import qloguniform as qloguniform
    from scriptrun.config.sweeps.search_space import qnormal as qnormal
    from scriptrun.config.sweeps.search_space import quniform as quniform
    from scriptrun.config.sweeps.search_space import randint as randint
    from scriptrun.config.sweeps.search_space import uniform as uniform
    from scriptrun.core.dataset import Dataset as Dataset
    from scriptrun.core.dataset import OutputFileDatasetConfig as OutputFileDatasetConfig
    from scriptrun.core.datastore import DataPath as DataPath
    from scriptrun.core.datastore import DataReference as DataReference
    from scriptrun.core.datastore import Datastore as Datastore
    from scriptrun.core.experiment import Experiment as Experiment
    from scriptrun.core.model import Model as Model
    from scriptrun.core.run import Run as Run
    from scriptrun.core.workspace import Workspace as Workspace
    from scriptrun.engines.local.engine import Local as Local
    from scriptrun.services.webservice import AciWebservice as AciWebservice
    from scriptrun.services.webservice import AksWebservice as AksWebservice
    from scriptrun.services.webservice import LocalWebservice as LocalWebservice
    from scriptrun.services.webservice import Webservice as Webservice
    from scriptrun.sweeps.hyperdrive_run import HyperDriveRun as HyperDriveRun

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
