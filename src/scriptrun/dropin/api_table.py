"""Where each name of the SDK v1 is defined: the table behind imports, checks and the docs."""

from __future__ import annotations

from scriptrun.dropin import homes_table, serving_table

_CONFIG = "scriptrun.config."
_SECTIONS = {
    _CONFIG + "sections": "AmlComputeConfiguration DockerConfiguration HdiConfiguration "
    "HistoryConfiguration KubernetesComputeConfiguration ParallelTaskConfiguration "
    "SparkConfiguration",
    _CONFIG + "distributed": "MpiConfiguration PyTorchConfiguration TensorflowConfiguration",
    _CONFIG + "data_sections": "Data DataLocation DataReferenceConfiguration "
    "DatasetRegistrationOptions GlobsOptions MountOptions OutputData OutputOptions "
    "RegistrationOptions UploadOptions Uri Dataset DataPath",
}
_ESTIMATORS = "scriptrun.dropin.azureml.estimators"
_TENSORBOARD = "scriptrun.dropin.tensorboard.board"
_TENSORBOARD_EXPORT = "scriptrun.dropin.tensorboard.export"
_PRIVATE = "scriptrun.dropin.azureml.private_names"
_DISTRIBUTED = "Gloo Mpi Nccl ParameterServer"
_ENVIRONMENT = {
    _CONFIG + "environments.environment": "Environment DEFAULT_CPU_IMAGE DEFAULT_GPU_IMAGE",
    _CONFIG + "environments.conda_dependencies": "CondaDependencies",
    _CONFIG + "environments.sections": "ContainerRegistry DockerBuildContext DockerImagePlatform "
    "DockerSection PythonSection SparkSection DatabricksSection "
    "DockerEnvironment=DockerSection PythonEnvironment=PythonSection",
}
_COMPUTE = {
    "scriptrun.dropin.azureml.compute": "AmlCompute ComputeInstance ComputeTarget "
    "AmlComputeStatus=Status ComputeInstanceStatus=Status",
    "scriptrun.dropin.azureml.provisioning": "AmlComputeProvisioningConfiguration "
    "ComputeInstanceProvisioningConfiguration ComputeTargetProvisioningConfiguration ScaleSettings",
    "scriptrun.spec.errors": "ComputeTargetException",
}
_DATASTORES = {
    "scriptrun.data.datastores.classes": "AbstractDatastore AzureBlobDatastore AzureFileDatastore "
    "AzureDataLakeGen2Datastore",
}
_REFERENCES = {
    "scriptrun.data.datastores.references": "DataPath DataPathComputeBinding DataReference"
}
_DATASETS = {
    "scriptrun.data.datasets.file": "FileDataset FileDatasetFactory",
    "scriptrun.data.datasets.tabular": "DataType TabularDataset TabularDatasetFactory",
    "scriptrun.data.datasets.base": "AbstractDataset",
}
_CONSUMPTION = {
    "scriptrun.data.datasets.consumption": "DatasetConsumptionConfig OutputFileDatasetConfig",
}
_AUTHENTICATION = {
    "scriptrun.dropin.azureml.authentication": "AbstractAuthentication "
    "ArmTokenAuthentication Audience "
    "AzureCliAuthentication AzureMLTokenAuthentication InteractiveLoginAuthentication "
    "MsiAuthentication ServicePrincipalAuthentication TokenAuthentication",
}
_ERRORS = {
    "scriptrun.spec.errors": "ActivityFailedException ComputeTargetException "
    "ExperimentExecutionException RunConfigurationException RunEnvironmentException "
    "ModelNotFoundException SnapshotException UserErrorException WebserviceException "
    "WorkspaceException "
    "AzureMLException=ScriptrunError AzureMLAggregatedException=ScriptrunError "
    "ProjectSystemException=WorkspaceException TrainingException=RunConfigurationException "
    "ExperimentNotFoundException=UserErrorException "
    "AuthenticationException=UserErrorException ServiceException=ScriptrunError "
    "ModelPathNotFoundException=UserErrorException "
    "DiscoveryUrlNotFoundException=UserErrorException",
    "scriptrun.data.errors": "DatasetExecutionError DatasetValidationError DatastoreException "
    "UserDataErrorException=DatasetValidationError",
}

_SAMPLING = {
    _CONFIG + "sweeps.sampling": "BayesianParameterSampling GridParameterSampling "
    "HyperParameterSampling RandomParameterSampling",
}
_POLICIES = {
    _CONFIG + "sweeps.early_stopping": "BanditPolicy EarlyTerminationPolicy MedianStoppingPolicy "
    "NoTerminationPolicy TruncationSelectionPolicy",
}
_EXPRESSIONS = {
    _CONFIG
    + "sweeps.search_space": "choice lognormal loguniform normal qlognormal qloguniform qnormal "
    "quniform randint uniform",
}
_SWEEPS = {
    _CONFIG + "sweeps.hyperdrive": "HyperDriveConfig HyperDriveRunConfig PrimaryMetricGoal",
    "scriptrun.sweeps.hyperdrive_run": "HyperDriveRun",
}
_HYPERDRIVE = {**_SAMPLING, **_POLICIES, **_SWEEPS, **_EXPRESSIONS}


#: azureml module: scriptrun module: its names (``name``, or ``name=its name there``), without those
#: for serving
_OWN: dict[str, dict[str, str]] = {
    "azureml": {},
    "azureml.core": {
        "scriptrun.dropin.azureml.workspace": "Workspace",
        "scriptrun.dropin.azureml.experiment": "Experiment get_run",
        "scriptrun.dropin.azureml.compute": "ComputeTarget",
        "scriptrun.dropin.azureml.version": "VERSION __version__",
        "scriptrun.core.keyvault": "Keyvault",
        "scriptrun.core.model": "Model",
        "scriptrun.core.run": "Run ScriptRun=Run",
        "scriptrun.dropin.azureml.dataset": "Dataset",
        "scriptrun.core.datastore": "Datastore",
        _CONFIG + "script_run_config": "ScriptRunConfig",
        _CONFIG + "run_configuration": "RunConfiguration",
        _CONFIG + "environments.environment": "Environment",
        _CONFIG + "environments.sections": "ContainerRegistry",
    },
    "azureml.core.workspace": {"scriptrun.dropin.azureml.workspace": "Workspace"},
    "azureml.core.experiment": {"scriptrun.dropin.azureml.experiment": "Experiment ViewType"},
    "azureml.core.run": {
        "scriptrun.core.keyvault": "Keyvault",
        "scriptrun.core.run": "Run",
        "scriptrun.runtime.injob.offline": "_OfflineRun",
        _PRIVATE: "POST_PROCESSING_STATES RUNNING_STATES RunStatus TERMINAL_STATES",
        "scriptrun.dropin.azureml.experiment": "get_run",
        "scriptrun.core.datastore": "Datastore",
        "scriptrun.data.datasets.base": "AbstractDataset",
        "scriptrun.data.datastores.references": "DataPath",
        _CONFIG + "environments.environment": "Environment",
    },
    "azureml.core.script_run": {"scriptrun.core.run": "ScriptRun=Run"},
    "azureml.core.script_run_config": {
        _CONFIG + "script_run_config": "ScriptRunConfig",
        "scriptrun.dropin.azureml.experiment": "get_run_config_from_script_run",
    },
    "azureml.core.runconfig": {
        _CONFIG + "run_configuration": "RunConfiguration",
        _CONFIG + "script_run_config": "ScriptRunConfig",
        "scriptrun.dropin.azureml.compute": "ComputeTarget AbstractComputeTarget=ComputeTarget",
        "scriptrun.data.datasets.consumption": "DatasetConsumptionConfig",
        "scriptrun.core.run": "Run",
        **_SECTIONS,
        **_ENVIRONMENT,
        _CONFIG + "environments.sections": _ENVIRONMENT[_CONFIG + "environments.sections"]
        + " Cr=ContainerRegistry AzureContainerRegistry=ContainerRegistry",
        _CONFIG + "environments.environment": _ENVIRONMENT[_CONFIG + "environments.environment"]
        + " EnvironmentDefinition",
    },
    "azureml.core.environment": {
        **_ENVIRONMENT,
        "scriptrun.preparation.build": "DockerImageDetails ImageBuildDetails",
    },
    "azureml.core.conda_dependencies": {
        _CONFIG + "environments.conda_dependencies": "CondaDependencies",
        _CONFIG + "frameworks": "TENSORFLOW_DEFAULT_VERSION",
    },
    "azureml.core.databricks": {},
    "azureml.core.container_registry": {_CONFIG + "environments.sections": "ContainerRegistry"},
    "azureml.core.compute": _COMPUTE,
    "azureml.core.compute.amlcompute": _COMPUTE,
    "azureml.core.compute.compute": _COMPUTE,
    "azureml.core.compute.computeinstance": _COMPUTE,
    "azureml.core.compute_target": {
        "scriptrun.dropin.azureml.compute": "AbstractComputeTarget=ComputeTarget",
        "scriptrun.engines.local.engine": "LocalTarget=Local",
        "scriptrun.spec.errors": "ComputeTargetException",
    },
    "azureml.core.dataset": {"scriptrun.dropin.azureml.dataset": "Dataset"},
    "azureml.core.datastore": {"scriptrun.core.datastore": "Datastore"},
    "azureml.core.authentication": _AUTHENTICATION,
    "azureml.core.model": {
        "scriptrun.core.model": "Model",
        "scriptrun.core.model_metadata": "ResourceConfiguration",
        "scriptrun.dropin.azureml.experiment": "Experiment",
        "scriptrun.dropin.azureml.dataset": "Dataset",
        "scriptrun.data.datasets.file": "FileDataset",
        "scriptrun.data.datasets.tabular": "TabularDataset",
        _CONFIG + "environments.environment": "Environment",
        _CONFIG + "environments.sections": "ContainerRegistry",
    },
    "azureml.core.keyvault": {"scriptrun.core.keyvault": "Keyvault"},
    "azureml.core.resource_configuration": {
        "scriptrun.core.model_metadata": "ResourceConfiguration",
    },
    "azureml.exceptions": _ERRORS,
    "azureml.exceptions._azureml_exception": _ERRORS,
    "azureml._base_sdk_common": {"scriptrun.dropin.azureml.version": "__version__"},
    "azureml._base_sdk_common.user_agent": {_PRIVATE: "append get_user_agent"},
    "azureml._restclient": {},
    "azureml._restclient.constants": {
        _PRIVATE: "POST_PROCESSING_STATES RUNNING_STATES RunStatus TERMINAL_STATES",
    },
    "azureml._restclient.snapshots_client": {_PRIVATE: "SNAPSHOT_MAX_SIZE_BYTES"},
    "azureml._common": {},
    "azureml._common.exceptions": {"scriptrun.spec.errors": "AzureMLException=ScriptrunError"},
    "azureml.data": {**_DATASETS, **_CONSUMPTION},
    "azureml.data.context_managers": {
        "scriptrun.data.datasets.file": "DatasetContextManager=MountContext "
        "DatastoreContextManager=MountContext",
    },
    "azureml.data.abstract_dataset": {"scriptrun.data.datasets.base": "AbstractDataset"},
    "azureml.data.abstract_datastore": _DATASTORES,
    "azureml.data.azure_storage_datastore": _DATASTORES,
    "azureml.data.azure_data_lake_datastore": _DATASTORES,
    "azureml.data.data_reference": _REFERENCES,
    "azureml.data.datapath": _REFERENCES,
    "azureml.data.dataset_consumption_config": _CONSUMPTION,
    "azureml.data.output_dataset_config": _CONSUMPTION,
    "azureml.data.dataset_error_handling": {
        "scriptrun.data.errors": "DatasetExecutionError DatasetValidationError",
    },
    "azureml.data.dataset_factory": _DATASETS,
    "azureml.data.dataset_type_definitions": {
        "scriptrun.dropin.azureml.dataset": "FileEncoding PromoteHeadersBehavior SkipLinesBehavior",
    },
    "azureml.data.file_dataset": _DATASETS,
    "azureml.data.tabular_dataset": _DATASETS,
    "azureml.tensorboard": {_TENSORBOARD: "Tensorboard"},
    "azureml.tensorboard.tensorboard": {_TENSORBOARD: "Tensorboard"},
    "azureml.tensorboard.export": {_TENSORBOARD_EXPORT: "export_to_tensorboard"},
    "azureml.contrib.tensorboard": {_TENSORBOARD: "Tensorboard"},
    "azureml.contrib.tensorboard.tensorboard": {_TENSORBOARD: "Tensorboard"},
    "azureml.contrib.tensorboard.export": {_TENSORBOARD_EXPORT: "export_to_tensorboard"},
    "azureml.telemetry": {
        "scriptrun.dropin.azureml.telemetry": "set_diagnostics_collection UserType "
        "INSTRUMENTATION_KEY get_telemetry_log_handler",
    },
    "azureml.train": {},
    "azureml.train.hyperdrive": _HYPERDRIVE,
    # its modules import from each other, and old code from any of them
    "azureml.train.hyperdrive.sampling": _HYPERDRIVE,
    "azureml.train.hyperdrive.policy": _HYPERDRIVE,
    "azureml.train.hyperdrive.runconfig": _HYPERDRIVE,
    "azureml.train.hyperdrive.run": _HYPERDRIVE,
    "azureml.train.hyperdrive.parameter_expressions": _EXPRESSIONS,
    "azureml.train.hyperdrive.exceptions": {
        "scriptrun.spec.errors": "HyperDriveConfigException=RunConfigurationException "
        "HyperDriveException=ScriptrunError HyperDriveServiceException=ScriptrunError "
        "HyperDriveRehydrateException=UserErrorException "
        "HyperDriveNotImplementedException=RunConfigurationException "
        "HyperDriveScenarioNotSupportedException=RunConfigurationException",
    },
    "azureml.train._distributed_training": {_ESTIMATORS: _DISTRIBUTED},
    "azureml.train.estimator": {
        _ESTIMATORS: f"Estimator MMLBaseEstimator=Estimator {_DISTRIBUTED}"
    },
    "azureml.train.estimator._estimator": {_ESTIMATORS: "Estimator"},
    "azureml.train.estimator._mml_base_estimator": {_ESTIMATORS: "MMLBaseEstimator=Estimator"},
    "azureml.train.dnn": {_ESTIMATORS: f"Chainer PyTorch TensorFlow {_DISTRIBUTED}"},
    "azureml.train.dnn._chainer": {_ESTIMATORS: "Chainer"},
    "azureml.train.dnn._pytorch": {_ESTIMATORS: "PyTorch"},
    "azureml.train.dnn._tensorflow": {_ESTIMATORS: "TensorFlow"},
    "azureml.train.sklearn": {_ESTIMATORS: "SKLearn"},
    "azureml.widgets": {"scriptrun.dropin.azureml.widgets": "RunDetails"},
}

#: as ``_OWN``, with the names for serving
PROVIDED = serving_table.merged(_OWN)

#: where names are looked for that ``homes_table`` has no home of, the first that has one
_FIRST_HOMES = ("azureml.core", "azureml.exceptions", "azureml.data", "azureml.core.runconfig")

_ESTIMATOR = (
    "Submit ScriptRunConfig(source_directory=..., script=..., arguments=[...], "
    "environment=...) instead."
)
_PIPELINE = (
    "Pipelines are not supported; submit each step as a ScriptRunConfig, after "
    "run.wait_for_completion() of the previous step."
)
_COMPUTES = (
    "AdlaCompute BatchCompute DataFactoryCompute DatabricksCompute DsvmCompute "
    "HDInsightCompute KubernetesCompute RemoteCompute SynapseCompute"
)
_ATTACHED = "Add the machine as a scriptrun compute target: scriptrun compute add."
_IMAGES = "Specify packages with CondaDependencies, or an image with environment.docker.base_image."
_BOARD = "Use Tensorboard and export_to_tensorboard."
_DATA = "The job creates it; use scriptrun's Dataset and Datastore."
_LINKS = "LinkFileOutputDatasetConfig LinkTabularOutputDatasetConfig"
_LINKED = "Use OutputFileDatasetConfig and register its files."

_R = "R is not supported; run Rscript with ScriptRunConfig(command=...) in an image that has it."
_DATABRICKS = "Databricks is not supported; list the packages in the job's environment."
_DATABRICKS_LIBRARIES = (
    "DatabricksCluster EggLibrary JarLibrary MavenLibrary PyPiLibrary RCranLibrary"
)
_DATASET = "Use Dataset.Tabular or Dataset.File."
_STORES = "Export its tables to files, and register the folder or the bucket that holds them."
_OF_AZURE = "It is specific to Azure; the job runs without it."

#: unsupported names of supported modules, and what to use instead
LEFT_OUT: dict[str, dict[str, str]] = {
    module: {name: instead for names, instead in entries for name in names.split()}
    for module, entries in {
        "azureml.core": [
            ("LinkedService SynapseWorkspaceLinkedServiceConfiguration", _OF_AZURE),
        ],
        **serving_table.NAMES_NOT_SERVED,
        "azureml.core.compute": [(_COMPUTES, _ATTACHED)],
        "azureml.core.runconfig": [
            ("RCranPackage RGitHubPackage RSection", _R),
            ("ApplicationEndpointConfiguration SparkPackage", _OF_AZURE),
        ],
        "azureml.core.conda_dependencies": [("PYTHON_PREFIX DEFAULT_SDK_ORIGIN", _IMAGES)],
        "azureml.core.environment": [
            ("EnvironmentReference", _IMAGES),
            ("RCranPackage RGitHubPackage RSection", _R),
        ],
        "azureml.core.databricks": [(_DATABRICKS_LIBRARIES, _DATABRICKS)],
        "azureml.data.dataset_type_definitions": [
            ("FileHandlingOption FileType HistogramCompareMethod", _DATASET),
        ],
        "azureml.core.container_registry": [("RegistryIdentity", _IMAGES)],
        "azureml.core.run": [
            ("InputDatasets LinkOutput OutputDatasets", _DATA),
        ],
        "azureml.data": [(_LINKS, _LINKED)],
        "azureml.data.azure_storage_datastore": [("AbstractAzureStorageDatastore", _DATA)],
        "azureml.data.azure_data_lake_datastore": [("AzureDataLakeDatastore", _STORES)],
        "azureml.data.output_dataset_config": [
            (_LINKS, _LINKED),
            ("OutputTabularDatasetConfig", _LINKED),
            ("MountOptions OutputDatasetConfig RegistrationConfiguration", _DATA),
            ("TransformationMixin UploadOptions", _DATA),
        ],
    }.items()
}

#: unsupported packages: their modules can be imported, their names cannot be used
LEFT_OUT_PACKAGES: dict[str, str] = {
    "azureml.exceptions": "scriptrun never raises it.",
    **serving_table.NOT_SERVED,
    "azureml.core.compute": _ATTACHED,
    "azureml.core.linked_service": _OF_AZURE,
    "azureml.core.private_endpoint": _OF_AZURE,
    "azureml.data.azure_my_sql_datastore": _STORES,
    "azureml.data.azure_postgre_sql_datastore": _STORES,
    "azureml.data.azure_sql_database_datastore": _STORES,
    "azureml.data.dbfs_datastore": _STORES,
    "azureml.data.sql_data_reference": _STORES,
    "azureml.data.stored_procedure_parameter": _STORES,
    "azureml.data.hdfs_output_dataset_config": _LINKED,
    "azureml.data.datacache": _DATASET,
    "azureml.data.datacache_consumption_config": _DATASET,
    "azureml.data.datacache_singularity_settings": _DATASET,
    "azureml.data.dataset_action_run": _DATASET,
    "azureml.data.dataset_definition": _DATASET,
    "azureml.data.dataset_profile": _DATASET,
    "azureml.data.dataset_snapshot": _DATASET,
    "azureml.train": _ESTIMATOR,
    "azureml.train.hyperdrive": "Use the names of azureml.train.hyperdrive.",
    "azureml.train.automl": "AutoML is not supported; use an AutoML library in a script.",
    "azureml.automl": "AutoML is not supported; use an AutoML library in a script.",
    "azureml.pipeline": _PIPELINE,
    "azureml.contrib": "It is specific to Azure; submit the job as a ScriptRunConfig.",
    "azureml.opendatasets": "Use Dataset.File.from_files with the published URLs.",
    "azureml.responsibleai": "Use the responsibleai package in the script.",
    "azureml.datadrift": "Drift detection is not supported; compare the tables in a script.",
    "azureml.explain": "Use the interpret package in the script.",
    "azureml.interpret": "Use the interpret package in the script.",
    "azureml.tensorboard": _BOARD,
    "azureml.mlflow": "Use the mlflow package.",
    "azureml.dataprep": "Use Dataset.Tabular, or pandas in the script.",
    "azureml.fsspec": "Use fsspec, or Dataset.File.from_files.",
    "azureml.studio": "It is specific to Azure; submit the job as a ScriptRunConfig.",
}

#: unsupported methods that old code calls (``exec --check`` looks for them)
LEFT_OUT_METHODS: dict[str, str] = {
    "to_spark_dataframe": "Use to_pandas_dataframe.",
    "get_sas_urls": "The files are on this machine: use model.download().",
    **serving_table.METHODS_NOT_SERVED,
}

#: unsupported packages that are imported from an installed azureml if it has them
INSTALLED_FIRST = ("azureml.opendatasets", "azureml.interpret", "azureml.mlflow", "azureml.fsspec")
_HIDDEN = "It is private to Microsoft's package; use a public name."


def provided(module: str) -> dict[str, tuple[str, str]]:
    """Return the names in ``module``, each with the scriptrun module and name that define it."""
    return _own_names(module)


def source_of(module: str, name: str) -> tuple[str, str] | None:
    """The scriptrun module and name that define ``module.name``; None if it is not supported.

    The SDK's modules import from each other, so a class or an error that ``module`` does not list
    may be that of another one.
    """
    source = _own_names(module).get(name)
    if source is not None or not _may_import(module, name):
        return source
    return next(
        (own[name] for own in map(_own_names, _homes_of(module, name)) if name in own), None
    )


def _may_import(module: str, name: str) -> bool:
    """Whether ``module`` may have imported the class or error ``name`` from another module."""
    if name in LEFT_OUT.get(module, {}) or not name[:1].isupper():
        return False
    return module in PROVIDED or name.endswith(("Exception", "Error"))


def _homes_of(module: str, name: str) -> tuple[str, ...]:
    """The modules that may define ``module.name``, the most probable first."""
    return (homes_table.HOMES.get(name, module), *_FIRST_HOMES)


def known_names(module: str) -> set[str]:
    """The names that ``module`` lists, and the classes that it may import from others."""
    return {*_own_names(module), *LEFT_OUT.get(module, {}), *homes_table.HOMES}


def _own_names(module: str) -> dict[str, tuple[str, str]]:
    sources = {}
    for source, names in PROVIDED.get(module, {}).items():
        for name in names.split():
            public_name, _, actual = name.partition("=")
            sources[public_name] = (source, actual or public_name)
    return sources


def alternative(module: str, name: str = "") -> str | None:
    """Return what to use instead of ``module.name``, or None if it is unknown."""
    if f"{module}.{name}" in PROVIDED:
        return None
    advice = LEFT_OUT.get(module, {}).get(name) or package_alternative(module)
    if advice is None and _may_import(module, name):
        homes = _homes_of(module, name)
        advice = next(
            (LEFT_OUT[home][name] for home in homes if name in LEFT_OUT.get(home, {})), None
        )
        advice = advice or package_alternative(homes[0])
    return advice


def package_alternative(module: str) -> str | None:
    """Return what to use instead of ``module``, part of an unsupported package, or None."""
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        advice = LEFT_OUT_PACKAGES.get(".".join(parts[:length]))
        if advice:
            return advice
    return _HIDDEN if is_private(module) else None


def is_private(module: str) -> bool:
    """Whether ``module`` is private to the SDK: one of its parts begins with ``_``."""
    return any(part.startswith("_") for part in module.split(".")[1:])


def installed_first(module: str) -> bool:
    """Whether an installed azureml package takes precedence for ``module``."""
    return module.startswith(INSTALLED_FIRST) or (is_private(module) and module not in PROVIDED)


def knows(module: str) -> bool:
    """Whether ``module`` can be imported from here."""
    return module in PROVIDED or package_alternative(module) is not None
