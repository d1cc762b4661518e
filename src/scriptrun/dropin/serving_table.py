"""Where the SDK v1's names for serving are defined: part of ``api_table``."""

from __future__ import annotations

_DROPIN = "scriptrun.dropin.azureml."
_CONFIGURATIONS = {
    "scriptrun.config.services.deployment": "AciServiceDeploymentConfiguration "
    "AksServiceDeploymentConfiguration LocalWebserviceDeploymentConfiguration "
    "WebserviceDeploymentConfiguration",
}
_WEBSERVICES = {
    "scriptrun.services.webservice": "AciWebservice AksWebservice LocalWebservice Webservice",
    _DROPIN + "endpoints": "AksEndpoint UnknownWebservice",
    "scriptrun.spec.errors": "WebserviceException",
}
_PAYLOADS = (
    "AutoScaler ContainerResourceRequirements DataCollection LivenessProbeRequirements "
    "WebServiceAccessToken"
)
_IMAGES = {_DROPIN + "images": "ContainerImage Image UnknownImage"}
_AKS = {
    _DROPIN + "aks": "AksCompute AksAttachConfiguration AksProvisioningConfiguration "
    "AksUpdateConfiguration",
    _DROPIN + "payloads": "SslConfiguration SystemService",
    "scriptrun.spec.errors": "ComputeTargetException",
}
_REQUESTS = "scriptrun.runtime.serving.aml_request"

#: azureml module: scriptrun module: its names, as in ``api_table.PROVIDED``; where a module has
#: other names too, ``api_table`` lists those
SERVING: dict[str, dict[str, str]] = {
    "azureml.core": {
        _DROPIN + "images": "Image",
        "scriptrun.services.webservice": "Webservice",
    },
    "azureml.core.workspace": {
        _DROPIN + "images": "Image",
        "scriptrun.services.webservice": "Webservice",
    },
    "azureml.core.compute": {_DROPIN + "aks": "AksCompute"},
    "azureml.core.compute.aks": _AKS,
    "azureml.core.model": {
        "scriptrun.config.services.inference_config": "InferenceConfig",
        "scriptrun.services.package": "ModelPackage",
        "scriptrun.services.webservice": "Webservice",
    },
    "azureml.core.image": _IMAGES,
    "azureml.core.image.image": {
        _DROPIN + "images": "Image ImageConfig",
        _DROPIN + "payloads": "Asset TargetRuntime",
    },
    "azureml.core.image.container": {_DROPIN + "images": "ContainerImage ContainerImageConfig"},
    "azureml.core.image.unknown_image": {_DROPIN + "images": "UnknownImage"},
    "azureml.core.webservice": _WEBSERVICES,
    "azureml.core.webservice.webservice": {
        **_WEBSERVICES,
        **_CONFIGURATIONS,
        _DROPIN + "payloads": _PAYLOADS,
    },
    "azureml.core.webservice.local": {**_WEBSERVICES, **_CONFIGURATIONS},
    "azureml.core.webservice.aci": {
        **_WEBSERVICES,
        **_CONFIGURATIONS,
        _DROPIN + "payloads": "EncryptionProperties VnetConfiguration "
        "ContainerResourceRequirements=AciContainerResourceRequirements",
    },
    "azureml.core.webservice.aks": {
        **_WEBSERVICES,
        **_CONFIGURATIONS,
        _DROPIN + "endpoints": "AksEndpoint AksEndpointDeploymentConfiguration",
        _DROPIN + "payloads": f"{_PAYLOADS} AksServiceAccessToken",
    },
    "azureml.core.webservice.unknown_webservice": {_DROPIN + "endpoints": "UnknownWebservice"},
    "azureml.core.webservice.container_resource_requirements": {
        _DROPIN + "payloads": "ContainerResourceRequirements",
    },
    "azureml.contrib": {},
    "azureml.contrib.services": {},
    "azureml.contrib.services.aml_request": {_REQUESTS: "AMLRequest rawhttp"},
    "azureml.contrib.services.aml_response": {_REQUESTS: "AMLResponse"},
    "azureml.monitoring": {"scriptrun.runtime.injob.model_data": "ModelDataCollector"},
}

_PROFILE = "Measure the service: deploy it, and send requests to its scoring_uri."
_VERSIONS = "Deploy each version as another service."
_FPGA = "FPGA images are specific to Azure; serve the model with Model.deploy."
#: what is not supported of modules and packages above
NOT_SERVED: dict[str, str] = {
    "azureml.accel": _FPGA,
    "azureml.core.image": _FPGA,
    "azureml.core.webservice": "Use LocalWebservice, AciWebservice or AksWebservice.",
    "azureml.core.profile": _PROFILE,
    "azureml.monitoring": "Use ModelDataCollector; its rows are in the run's outputs.",
    "azureml.contrib.services": "Use rawhttp, AMLRequest and AMLResponse.",
}
#: the same for single names of modules above
NAMES_NOT_SERVED: dict[str, list[tuple[str, str]]] = {
    "azureml.core.model": [("ModelProfile", _PROFILE)],
}
#: methods that raise, by names that nothing else of the SDK has
METHODS_NOT_SERVED: dict[str, str] = {
    "create_version": _VERSIONS,
    "update_version": _VERSIONS,
    "delete_version": _VERSIONS,
    "get_container_registry": "Save the package with save(), build it, and push it yourself.",
    "Model.profile": _PROFILE,
}


def merged(provided: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """``provided`` with the names for serving."""
    modules = dict(provided)
    for module, sources in SERVING.items():
        own = dict(modules.get(module, {}))
        for source, names in sources.items():
            own[source] = f"{own.get(source, '')} {names}".strip()
        modules[module] = own
    return modules
