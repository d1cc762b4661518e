"""The SDK v1's ways to deploy of before 2019, from images: ``scriptrun.dropin`` has the images."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.config.services.inference_config import InferenceConfig
    from scriptrun.registry.workspace_files import WorkspaceFiles

_IMAGES = "scriptrun.dropin.azureml.image_deployments:"


def of_image(
    image: Any, models: Iterable[object] | None, inference_config: InferenceConfig | None
) -> tuple[Iterable[object] | None, InferenceConfig | None]:
    """The models and the configuration for an update: those given, else those of the image."""
    if image is None:
        return models, inference_config
    return image.models if models is None else models, inference_config or image.inference_config()


def new_image(
    workspace: WorkspaceFiles, name: str, models: Iterable[object], image_config: object
) -> Any:
    """Create the next version of the image ``name``."""
    create = handler("scriptrun.dropin.azureml.images:Image").create
    return create(workspace, name, models, image_config)


class OldDeployments:
    """Ways to deploy that take an image or its configuration; use ``Model.deploy`` instead."""

    @staticmethod
    def deploy(
        workspace: WorkspaceFiles,
        name: str,
        model_paths: Iterable[str],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Any:
        """Register the files and folders ``model_paths`` as models, and serve them."""
        return handler(f"{_IMAGES}deploy_paths")(
            workspace, name, model_paths, image_config, deployment_config, deployment_target,
            overwrite,
        )  # fmt: skip

    @staticmethod
    def deploy_from_model(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Any:
        """Create an image called ``name`` of registered models, and deploy it."""
        return handler(f"{_IMAGES}deploy_models")(
            workspace, name, models, image_config, deployment_config, deployment_target, overwrite
        )

    @staticmethod
    def deploy_from_image(
        workspace: WorkspaceFiles,
        name: str,
        image: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Any:
        """Deploy an image: its files and its models."""
        return handler(f"{_IMAGES}deploy_image")(
            workspace, name, image, deployment_config, deployment_target, overwrite
        )

    @staticmethod
    def deploy_local_from_model(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        wait: bool = False,
    ) -> Any:
        """As ``deploy_from_model``, as a LocalWebservice; ``wait`` until it answers."""
        return handler(f"{_IMAGES}deploy_locally")(
            workspace, name, models, image_config, deployment_config, wait
        )
