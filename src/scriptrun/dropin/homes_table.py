"""Which module of the SDK v1 defines each class; tools/azureml_homes.py writes this file.

The SDK's modules import classes from each other, and old code imports them from any of them.
"""

from __future__ import annotations

#: the modules, each followed by the classes that it defines
_DEFINED = """
azureml.core.authentication
    AbstractAuthentication ArmTokenAuthentication Audience AzureCliAuthentication
    AzureMLTokenAuthentication InteractiveLoginAuthentication MsiAuthentication
    ServicePrincipalAuthentication TokenAuthentication
azureml.core.compute.aks
    AksAttachConfiguration AksCompute AksProvisioningConfiguration AksUpdateConfiguration
    SslConfiguration SystemService
azureml.core.compute.amlcompute
    AmlCompute AmlComputeNodeStateCounts AmlComputeProvisioningConfiguration AmlComputeStatus
    ScaleSettings
azureml.core.compute.compute
    ComputeTarget ComputeTargetAttachConfiguration ComputeTargetProvisioningConfiguration
    ComputeTargetUpdateConfiguration
azureml.core.compute.computeinstance
    ComputeInstance ComputeInstanceProvisioningConfiguration ComputeInstanceStatus
azureml.core.compute.kubernetescompute
    KubernetesCompute KubernetesComputeAttachConfiguration KubernetesComputeStatus
azureml.core.compute.remote
    RemoteCompute RemoteComputeAttachConfiguration
azureml.core.compute_target
    AbstractComputeTarget LocalTarget
azureml.core.conda_dependencies
    CondaDependencies
azureml.core.container_registry
    ContainerRegistry RegistryIdentity
azureml.core.dataset
    Dataset
azureml.core.datastore
    Datastore
azureml.core.environment
    DockerBuildContext DockerEnvironment DockerImageDetails DockerImagePlatform DockerSection
    Environment EnvironmentReference ImageBuildDetails PythonEnvironment PythonSection
azureml.core.experiment
    Experiment ViewType
azureml.core.image.container
    ContainerImage ContainerImageConfig
azureml.core.image.image
    Asset Image ImageConfig TargetRuntime
azureml.core.image.unknown_image
    UnknownImage
azureml.core.keyvault
    Keyvault
azureml.core.model
    InferenceConfig Model ModelPackage
azureml.core.profile
    ModelProfile
azureml.core.resource_configuration
    ResourceConfiguration
azureml.core.run
    InputDatasets LinkOutput OutputDatasets Run
azureml.core.runconfig
    AmlComputeConfiguration AzureContainerRegistry Data DataLocation DataReferenceConfiguration
    DatasetRegistrationOptions DockerConfiguration EnvironmentDefinition GlobsOptions
    HistoryConfiguration KubernetesComputeConfiguration MpiConfiguration OutputData OutputOptions
    ParallelTaskConfiguration PyTorchConfiguration RegistrationOptions RunConfiguration
    TensorflowConfiguration Uri
azureml.core.script_run
    ScriptRun
azureml.core.script_run_config
    ScriptRunConfig
azureml.core.webservice.aci
    AciServiceDeploymentConfiguration AciWebservice ContainerResourceRequirements
    EncryptionProperties VnetConfiguration
azureml.core.webservice.aks
    AksEndpoint AksEndpointDeploymentConfiguration AksServiceAccessToken
    AksServiceDeploymentConfiguration AksWebservice AutoScaler DataCollection
    LivenessProbeRequirements
azureml.core.webservice.local
    LocalWebservice LocalWebserviceDeploymentConfiguration
azureml.core.webservice.unknown_webservice
    UnknownWebservice
azureml.core.webservice.webservice
    WebServiceAccessToken Webservice WebserviceDeploymentConfiguration
azureml.core.workspace
    Workspace
azureml.data.abstract_dataset
    AbstractDataset
azureml.data.abstract_datastore
    AbstractDatastore
azureml.data.azure_data_lake_datastore
    AzureDataLakeGen2Datastore
azureml.data.azure_storage_datastore
    AbstractAzureStorageDatastore AzureBlobDatastore AzureFileDatastore
azureml.data.context_managers
    DatasetContextManager DatastoreContextManager
azureml.data.data_reference
    DataReference
azureml.data.datapath
    DataPath DataPathComputeBinding
azureml.data.dataset_consumption_config
    DatasetConsumptionConfig
azureml.data.dataset_error_handling
    DatasetExecutionError DatasetValidationError
azureml.data.dataset_factory
    DataType FileDatasetFactory TabularDatasetFactory
azureml.data.file_dataset
    FileDataset
azureml.data.output_dataset_config
    LinkFileOutputDatasetConfig LinkTabularOutputDatasetConfig MountOptions OutputDatasetConfig
    OutputFileDatasetConfig OutputTabularDatasetConfig RegistrationConfiguration
    TransformationMixin UploadOptions
azureml.data.tabular_dataset
    TabularDataset
azureml.tensorboard.tensorboard
    Tensorboard
azureml.train._distributed_training
    Gloo Mpi Nccl ParameterServer
azureml.train.dnn._chainer
    Chainer
azureml.train.dnn._pytorch
    PyTorch
azureml.train.dnn._tensorflow
    TensorFlow
azureml.train.estimator._estimator
    Estimator
azureml.train.estimator._mml_base_estimator
    MMLBaseEstimator MMLBaseEstimatorRunConfig
azureml.train.hyperdrive.exceptions
    HyperDriveConfigException HyperDriveException HyperDriveNotImplementedException
    HyperDriveRehydrateException HyperDriveScenarioNotSupportedException
    HyperDriveServiceException
azureml.train.hyperdrive.policy
    BanditPolicy EarlyTerminationPolicy MedianStoppingPolicy NoTerminationPolicy
    TruncationSelectionPolicy
azureml.train.hyperdrive.run
    HyperDriveRun
azureml.train.hyperdrive.runconfig
    HyperDriveConfig HyperDriveRunConfig PrimaryMetricGoal
azureml.train.hyperdrive.sampling
    BayesianParameterSampling GridParameterSampling HyperParameterSampling RandomParameterSampling
azureml.train.sklearn
    SKLearn
"""


def _homes() -> dict[str, str]:
    found, module = dict[str, str](), ""
    for line in _DEFINED.splitlines():
        if line.startswith(" "):
            found.update(dict.fromkeys(line.split(), module))
        else:
            module = line
    return found


#: class: the module that defines it
HOMES = _homes()
