"""The SDK v1's ways to deploy of before 2019, from images: ``scriptrun.dropin`` has the images."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scriptrun.config.services.deployment import LocalWebserviceDeploymentConfiguration
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.model import Model
from scriptrun.registry import services as registry
from scriptrun.services import rollout
from scriptrun.spec.errors import WebserviceException
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.core.workspace import Workspace
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.services.request import ServiceRequest
    from scriptrun.services.webservice import Webservice

    class OldImage(Protocol):
        """An image: its models, and its files as an InferenceConfig."""

        id: str
        version: int
        image_location: str

        @property
        def models(self) -> list[Model]:
            """Return the models."""
            ...

        def inference_config(self) -> InferenceConfig:
            """Return what serves them."""
            ...


#: the class of images
_IMAGE = "scriptrun.dropin.azureml.images:Image"
#: what code of that time does with pins that are unavailable
_PINS = "scriptrun.dropin.azureml.experiment:old_pins"


def of_image(
    image: OldImage | None,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None,
) -> tuple[Iterable[object] | None, InferenceConfig | None]:
    """The models and the configuration for an update: those given, else those of the image."""
    if image is None:
        return models, inference_config
    return image.models if models is None else models, inference_config or image.inference_config()


def new_image(
    workspace: WorkspaceFiles, name: str, models: Iterable[object], image_config: object
) -> OldImage:
    """Create the next version of the image ``name``."""
    image: OldImage = handler(_IMAGE).create(workspace, name, models, image_config)
    return image


class OldDeployments:
    """Ways to deploy that take an image or its configuration; use ``Model.deploy`` instead.

    And members that only the SDK v1 needs.
    """

    workspace: Workspace
    if TYPE_CHECKING:

        @property
        def request(self) -> ServiceRequest:
            """Return what the service was last deployed with."""
            ...

    @property
    def image(self) -> OldImage | None:
        """The image of before 2019 that it was deployed from; None for any other service."""
        source = self.request.source_directory
        models = {(model.name, model.version) for model in self.request.models}
        images: list[OldImage] = handler(_IMAGE).list(self.workspace)
        found = [
            image
            for image in images
            if image.image_location == source
            and {(model.name, model.version) for model in image.models} == models
        ]
        return max(found, key=lambda image: image.version, default=None)

    @property
    def image_id(self) -> str | None:
        """The ID of ``image``, such as ``digits:1``."""
        image = self.image
        return None if image is None else str(image.id)

    @staticmethod
    def deploy(
        workspace: WorkspaceFiles,
        name: str,
        model_paths: Iterable[str | os.PathLike[str]],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Webservice:
        """Register each path as a model called as its file or folder, and serve them."""
        models = [
            Model.register(workspace, path, os.path.basename(os.path.normpath(path)))
            for path in model_paths
        ]
        return OldDeployments.deploy_from_model(
            workspace, name, models, image_config, deployment_config, deployment_target, overwrite
        )

    @staticmethod
    def deploy_from_model(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Webservice:
        """Create an image called ``name`` of registered models, and deploy it."""
        if isinstance(image_config, InferenceConfig):
            return Model.deploy(
                workspace, name, list(models), image_config, deployment_config, deployment_target,
                overwrite, pins=handler(_PINS)(),
            )  # fmt: skip
        image = new_image(workspace, name, models, image_config)
        return OldDeployments.deploy_from_image(
            workspace, name, image, deployment_config, deployment_target, overwrite
        )

    @staticmethod
    def deploy_from_image(
        workspace: WorkspaceFiles,
        name: str,
        image: OldImage,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
    ) -> Webservice:
        """Deploy an image: its files and its models. Raises WebserviceException if it is none."""
        if not isinstance(image, handler(_IMAGE)):
            raise WebserviceException(
                f"{image!r:.100} is not an image.",
                hint="Use Image.create(...) or Image(workspace, name).",
            )
        return Model.deploy(
            workspace, name, image.models, image.inference_config(), deployment_config,
            deployment_target, overwrite, pins=handler(_PINS)(),
        )  # fmt: skip

    @staticmethod
    def deploy_local_from_model(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object],
        image_config: object,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        wait: bool = False,
    ) -> Webservice:
        """Deploy as a LocalWebservice, in place of one of that name; ``wait`` until it answers."""
        config = deployment_config or LocalWebserviceDeploymentConfiguration()
        service = OldDeployments.deploy_from_model(
            workspace, name, models, image_config, config, overwrite=True
        )
        if wait:
            service.wait_for_deployment(show_output=True)
        return service

    @staticmethod
    def check_for_existing_webservice(
        workspace: WorkspaceFiles,
        name: str,
        overwrite: bool = False,
        request_func: object = None,
        check_func: object = None,
    ) -> None:
        """Raise WebserviceException if there is a service of that name, unless ``overwrite``."""
        if not overwrite and registry.read(workspace, name) is not None:
            raise rollout.taken(name)

    def update_deployment_state(self) -> None:
        """Do nothing: attributes are always read from the workspace."""
