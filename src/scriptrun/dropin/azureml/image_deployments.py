"""Deploy images of before 2019: each becomes what ``Model.deploy`` takes."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scriptrun.config.services.deployment import LocalWebserviceDeploymentConfiguration
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.model import Model
from scriptrun.dropin.azureml.images import Image
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.dropin.azureml.images import ContainerImageConfig

    ImageSettings = ContainerImageConfig | InferenceConfig


def deploy_paths(
    workspace: WorkspaceFiles,
    name: str,
    model_paths: Iterable[str | os.PathLike[str]],
    image_config: ImageSettings,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
    overwrite: bool = False,
) -> Any:
    """Register each path as a model called as its file or folder, and deploy them."""
    models = [
        Model.register(workspace, path, os.path.basename(os.path.normpath(path)))
        for path in model_paths
    ]
    return deploy_models(
        workspace, name, models, image_config, deployment_config, deployment_target, overwrite
    )


def deploy_models(
    workspace: WorkspaceFiles,
    name: str,
    models: Iterable[object],
    image_config: ImageSettings,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
    overwrite: bool = False,
) -> Any:
    """Create the next version of the image ``name``, and deploy it."""
    if isinstance(image_config, InferenceConfig):
        return Model.deploy(
            workspace, name, list(models), image_config, deployment_config, deployment_target,
            overwrite,
        )  # fmt: skip
    image = Image.create(workspace, name, models, image_config)
    return deploy_image(workspace, name, image, deployment_config, deployment_target, overwrite)


def deploy_image(
    workspace: WorkspaceFiles,
    name: str,
    image: object,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    deployment_target: object = None,
    overwrite: bool = False,
) -> Any:
    """Deploy the files and models of an Image."""
    if not isinstance(image, Image):
        raise WebserviceException(
            f"{image!r:.100} is not an image.",
            hint="Use Image.create(...) or Image(workspace, name).",
        )
    return Model.deploy(
        workspace, name, image.models, image.inference_config(), deployment_config,
        deployment_target, overwrite,
    )  # fmt: skip


def deploy_locally(
    workspace: WorkspaceFiles,
    name: str,
    models: Iterable[object],
    image_config: ImageSettings,
    deployment_config: WebserviceDeploymentConfiguration | None = None,
    wait: bool = False,
) -> Any:
    """Deploy as a LocalWebservice, in place of one of that name; ``wait`` until it answers."""
    config = deployment_config or LocalWebserviceDeploymentConfiguration()
    service = deploy_models(workspace, name, models, image_config, config, overwrite=True)
    if wait:
        service.wait_for_deployment(show_output=True)
    return service
