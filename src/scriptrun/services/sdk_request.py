"""ServiceRequest from the SDK v1's objects: models, InferenceConfig, deployment configurations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from scriptrun.config.services.deployment import (
    AciServiceDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    WebserviceDeploymentConfiguration,
)
from scriptrun.config.services.inference_config import IMAGE_SETTINGS, InferenceConfig
from scriptrun.core.model_metadata import texts
from scriptrun.registry import compute_targets
from scriptrun.registry import models as model_registry
from scriptrun.registry import services as registry
from scriptrun.runtime.serving import order as service_order
from scriptrun.services.prepare import refuse
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec.errors import EnvironmentException, UserErrorException, WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json


def request_of(
    workspace: WorkspaceFiles,
    name: str,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None = None,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
) -> ServiceRequest:
    """What the objects ask for. Raises WebserviceException with all problems."""
    config = deployment_config or AciServiceDeploymentConfiguration()
    inference = inference_config or InferenceConfig()
    problems = _type_problems(config, inference)
    if not problems:
        problems = [*config.problems(), *inference.problems()]
    served = served_models(workspace, models, problems)
    refuse(problems, name)
    request = ServiceRequest(
        name=name,
        models=served,
        compute_target=_target(workspace, deployment_target),
        description=config.description or inference.description or "",
        tags=texts(config.tags),
        properties=texts(config.properties),
    )
    return with_deployment(with_inference(request, inference), config)


def _type_problems(config: object, inference: object) -> list[str]:
    found = []
    if not hasattr(config, "has_auth"):
        found.append(
            f"deployment_config is {config!r}; use e.g. LocalWebservice.deploy_configuration()"
        )
    if not hasattr(inference, "chosen_environment"):
        found.append(f"inference_config is {inference!r}; use an InferenceConfig")
    return found


def with_inference(request: ServiceRequest, inference: InferenceConfig) -> ServiceRequest:
    """``request`` with the entry script, the source directory and the environment."""
    unused = {name: value for name in IMAGE_SETTINGS if (value := getattr(inference, name))}
    try:
        environment = inference.chosen_environment()
    except EnvironmentException as error:
        refuse([" ".join(str(error).split()).removesuffix(".")], request.name)
        raise
    return request.replace(
        source_directory=_path(inference.source_directory),
        entry_script=_path(inference.entry_script),
        environment=environment,
        settings={**request.settings, **_plain(unused)},
    )


def with_deployment(
    request: ServiceRequest, config: WebserviceDeploymentConfiguration
) -> ServiceRequest:
    """``request`` with what the deployment configuration says, but for tags and description."""
    fields: Json = {
        "compute_type": config.compute_type,
        "auth": service_order.KEY if config.has_auth else service_order.OPEN,
        "keys": _keys(config) if config.has_auth else None,
        "settings": {**request.settings, **_plain(config.unused())},
    }
    if isinstance(config, AksServiceDeploymentConfiguration):
        timeout = config.scoring_timeout_ms
        fields.update(
            workers=config.replicas,
            gpus=int(config.gpu_cores or 0),
            timeout_seconds=60.0 if timeout is None else timeout / 1000,
        )
    elif "port" in vars(config):
        fields["port"] = config.port
    return request.replace(**fields)


def _keys(config: WebserviceDeploymentConfiguration) -> tuple[str, str] | None:
    primary, secondary = config.primary_key, config.secondary_key
    if not primary and not secondary:
        return None
    return str(primary or registry.new_key()), str(secondary or registry.new_key())


def served_models(
    workspace: WorkspaceFiles, models: Iterable[object] | None, problems: list[str]
) -> tuple[ServedModel, ...]:
    """The models: Model objects, names or IDs (``name:version``) of registered ones, or paths."""
    if models is None:
        return ()
    given = models if isinstance(models, list | tuple) else [models]
    served = [_served(workspace, model, problems) for model in given]
    return tuple(model for model in served if model is not None)


def _served(workspace: WorkspaceFiles, model: object, problems: list[str]) -> ServedModel | None:
    name, version = getattr(model, "name", None), getattr(model, "version", None)
    if isinstance(name, str) and isinstance(version, int):
        return ServedModel(name, version, framework=getattr(model, "model_framework", None))
    if isinstance(model, str | os.PathLike):
        text = os.fspath(model)
        name, _, number = text.partition(":")
        if name in model_registry.names(workspace) and (not number or number.isdecimal()):
            return ServedModel(name, int(number) if number else _latest(workspace, name))
        if os.path.exists(text):
            path = os.path.abspath(text)
            return ServedModel(os.path.basename(path), path=path)
        try:
            model_registry.get(workspace, name)
        except UserErrorException as error:
            problems.append(" ".join(str(error).split()).removesuffix("."))
        return None
    problems.append(f"{model!r:.100} is not a model; give Model objects, names or paths")
    return None


def _latest(workspace: WorkspaceFiles, name: str) -> int:
    return model_registry.version_numbers(workspace, name)[-1]


def _target(workspace: WorkspaceFiles, target: object) -> str | None:
    """The target's name if this workspace has it; None for a cluster of Azure."""
    name = target if isinstance(target, str) else getattr(target, "name", None)
    if isinstance(name, str) and compute_targets.is_known(workspace, name):
        return name
    return None


def _path(path: object) -> str | None:
    return os.fspath(path) if isinstance(path, str | os.PathLike) else None


def _plain(values: Mapping[str, object]) -> Json:
    """Values for a record: what JSON has no form for, as text."""
    plain = (str, int, float, bool, list, dict, tuple)
    return {
        name: value if isinstance(value, plain) else str(value) for name, value in values.items()
    }


def seconds(milliseconds: object) -> float:
    """The SDK v1's ``scoring_timeout_ms`` in seconds. Raises WebserviceException for no number."""
    if isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool):
        return milliseconds / 1000
    raise WebserviceException(
        f"scoring_timeout_ms is {milliseconds!r}, not a number.", hint="Give milliseconds: 60000."
    )
