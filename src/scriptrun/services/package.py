"""``Model.package``: a folder with a Dockerfile, whose image serves models anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from scriptrun.config.services.deployment import LocalWebserviceDeploymentConfiguration
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.workspace import Workspace
from scriptrun.runtime import files
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import image_text, prepare, sdk_request, served_models
from scriptrun.services.request import ServiceRequest
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import job_runtime
from scriptrun.store.snapshots import snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json, StrPath
    from scriptrun.services.prepare import PreparedService

#: the port inside the image, as in v1's images
PORT = 5001
#: the folders of a package
_FOLDERS = (service_order.MODELS, "server", "source")
_LOCATION = "Save the folder with save(), build it with docker or podman, and push it yourself."


@absent("get_container_registry", _LOCATION)
class ModelPackage:
    """Models, their server and a Dockerfile, ready to be saved; ``Model.package`` returns it.

    ``location`` is the image's name. ``state`` is "Succeeded": nothing is built yet.
    """

    state = "Succeeded"
    package_download_url = None

    def __init__(
        self,
        workspace: Workspace,
        prepared: PreparedService,
        inference_config: InferenceConfig,
        location: str,
    ) -> None:
        self.workspace, self.location = workspace, location
        self.environment = prepared.environment
        self._prepared, self._inference = prepared, inference_config

    def save(self, output_directory: StrPath) -> None:
        """Write the folder: Dockerfile, README.md, the server, the models and the source.

        A package that was saved there before is replaced. Raises UserErrorException if anything
        else is there.
        """
        target = Path(output_directory)
        if target.exists() and not _is_package(target):
            if not target.is_dir() or any(target.iterdir()):
                raise UserErrorException(
                    f"{str(target)!r} exists and is not empty.", "Choose another folder."
                )
        elif target.exists():
            for name in _FOLDERS:
                shutil.rmtree(target / name, ignore_errors=True)
        target.mkdir(parents=True, exist_ok=True)
        _write(self.workspace, self._prepared, self._inference, target, self.location)

    def pull(self) -> None:
        """Build the image with docker or podman, under the name ``location``.

        Raises WebserviceException if neither is found, or if the build fails.
        """
        image_text.build(self.workspace, self.save, self.location)

    def wait_for_creation(self, show_output: bool = False) -> None:
        """Return at once: the folder needs no creation. ``show_output`` prints what is next."""
        if show_output:
            print(f"Package of {self.location}: save it with save(), or build it with pull().")

    def update_creation_state(self) -> None:
        """Nothing to do: the state does not change."""

    def get_logs(self, decode: bool = True, offset: int = 0) -> str:
        """The log of its creation: empty."""
        return ""

    def serialize(self) -> Json:
        """The package as a JSON value."""
        return {
            "state": self.state,
            "location": self.location,
            "models": [model.as_json() for model in self._prepared.models],
            "entryScript": self._prepared.order["entry_script"],
        }

    def __repr__(self) -> str:
        return f"ModelPackage(workspace={self.workspace!r}, location={self.location})"


def _is_package(folder: Path) -> bool:
    """Whether ``save`` wrote the folder."""
    return (folder / service_order.FILE).is_file() and (folder / "server").is_dir()


def package(
    workspace: Workspace,
    models: Iterable[object] | None,
    inference_config: InferenceConfig | None = None,
    generate_dockerfile: bool = False,
    image_name: str | None = None,
    image_label: str | None = None,
) -> ModelPackage:
    """Check the models and the configuration, and return the package; see ``Model.package``.

    Raises WebserviceException with all problems. With or without ``generate_dockerfile``, nothing
    is built before ``pull``.
    """
    inference = inference_config or InferenceConfig()
    deployment = LocalWebserviceDeploymentConfiguration()
    request = sdk_request.request_of(workspace, "package", models, inference, deployment)
    return package_request(workspace, request, inference, image_name, image_label)


def package_request(
    workspace: Workspace,
    request: ServiceRequest,
    inference: InferenceConfig | None = None,
    image_name: str | None = None,
    image_label: str | None = None,
) -> ModelPackage:
    """The package of a request: what ``scriptrun serve --package`` calls."""
    name = image_name or (request.models[0].name if request.models else request.name)
    location = f"{image_text.image_name(name)}:{image_label or 'latest'}"
    wanted = request.replace(host="0.0.0.0", port=PORT, allowed_hosts=("*",))
    prepared = prepare.prepare(workspace, wanted.replace(test=""))
    return ModelPackage(workspace, prepared, inference or InferenceConfig(), location)


def _write(
    workspace: Workspace,
    prepared: PreparedService,
    inference: InferenceConfig,
    target: Path,
    location: str,
) -> None:
    """Write the package into the empty folder ``target``."""
    models = [model.replace(is_registered=False) for model in prepared.models]  # as copies
    served_models.lay_out(models, target)
    snapshots.restore(workspace.snapshots_folder, prepared.job.snapshot or "", target / "source")
    shutil.copytree(job_runtime.install(workspace.directory), target / "server")
    order = service_order.ServiceOrder(**{**prepared.order, "test": None, "port": PORT})
    files.write_atomic(str(target / service_order.FILE), files.to_json(order.to_json()))
    for name, text in image_text.texts(workspace, prepared, inference, location, PORT).items():
        (target / name).write_text(text, encoding="utf-8")
