"""``azureml.core.image``: the images of before 2019, as small versioned records of the workspace.

An image is a script with its files, copied when the image is created, and the models that it
serves. No container is built: a service of an image is a process, as one of ``Model.deploy``.
"""

from __future__ import annotations

import builtins
import datetime
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core import model_metadata
from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml import image_files
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files
from scriptrun.spec import ids, suggestion
from scriptrun.spec.errors import ScriptrunError, WebserviceException
from scriptrun.spec.run_kinds import handler
from scriptrun.store.versions import VersionRecord, VersionStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn

    from scriptrun.core.run import Run
    from scriptrun.runtime.hints import Json

    Tags = Mapping[str, object] | Iterable[str] | None

#: settings of a configuration that only an image has: recorded, and used by ``Model.package``
_IMAGE_SETTINGS = ("enable_gpu", "base_image", "cuda_version")


class ImageConfig:
    """The base of image configurations."""

    def build_create_payload(
        self, workspace: WorkspaceFiles, name: str, model_ids: builtins.list[str]
    ) -> Json:
        """What an image of this configuration is recorded as, without its files."""
        raise NotImplementedError("Use ContainerImage.image_configuration(...).")

    def validate_configuration(self) -> None:
        """Raise WebserviceException if the configuration is invalid."""


class ContainerImageConfig(ImageConfig):
    """A script with ``init()`` and ``run(data)``, and the files that it needs."""

    def __init__(
        self,
        execution_script: str,
        runtime: str,
        conda_file: str | None = None,
        docker_file: str | None = None,
        schema_file: str | None = None,
        dependencies: builtins.list[str] | None = None,
        enable_gpu: bool | None = None,
        tags: Tags = None,
        properties: Tags = None,
        description: str | None = None,
        base_image: str | None = None,
        base_image_registry: object = None,
        allow_absolute_path: bool = False,
        cuda_version: str | None = None,
    ) -> None:
        self.execution_script = execution_script
        self.runtime = runtime
        self.conda_file = conda_file
        self.docker_file = docker_file
        self.schema_file = schema_file
        self.dependencies = dependencies
        self.enable_gpu = enable_gpu
        self.tags = _tags(tags)
        self.properties = _tags(properties)
        self.description = description
        self.base_image = base_image
        self.base_image_registry = base_image_registry
        self.allow_absolute_path = allow_absolute_path
        self.cuda_version = cuda_version

    def validate_configuration(self) -> None:
        """Raise WebserviceException if files are missing or the runtime is not Python."""
        if str(self.runtime).lower() not in ("python", "python-slim", "spark-py"):
            raise WebserviceException(
                f"Invalid runtime {self.runtime!r}.", hint="Use runtime='python'."
            )
        image_files.chosen(self)

    def build_create_payload(
        self, workspace: WorkspaceFiles, name: str, model_ids: builtins.list[str]
    ) -> Json:
        """What an image of this configuration is recorded as, without its files."""
        return {
            "created": ids.now(),
            "models": [*model_ids],
            "script": Path(self.execution_script).name,
            "conda_file": _name(self.conda_file),
            "docker_file": _name(self.docker_file),
            "tags": self.tags,
            "properties": self.properties,
            "description": self.description,
            "settings": {key: getattr(self, key) for key in _IMAGE_SETTINGS},
        }

    def create_local_debug_payload(
        self, workspace: WorkspaceFiles, model_ids: builtins.list[str]
    ) -> Json:
        """What an image of this configuration is recorded as, without its files."""
        return self.build_create_payload(workspace, "local", model_ids)


class Image:
    """The image ``name`` in ``version`` (default: the latest), or the one with ``id``
    (``name:version``).

    ``tags`` and ``properties`` filter the versions. Raises WebserviceException if there is none.
    ``image_location`` is the folder of its files; no log of a build exists.
    """

    creation_state = "Succeeded"
    image_type, image_flavor = "Docker", "WebApiContainer"
    image_build_log_uri = generated_image_uri = None

    def __new__(cls, *args: object, **kwargs: object) -> Image:  # noqa: D102
        # a ContainerImage, as in v1
        return object.__new__(ContainerImage if cls is Image else cls)

    def __init__(
        self,
        workspace: WorkspaceFiles,
        name: str | None = None,
        id: str | None = None,
        tags: Tags = None,
        properties: Tags = None,
        version: int | str | None = None,
    ) -> None:
        if id is not None:
            name, _, version = id.rpartition(":")
        found = Image.list(workspace, name, tags=tags, properties=properties)
        matches = [image for image in found if version in (None, "", image.version)]
        matches = matches or [image for image in found if str(image.version) == str(version)]
        if not matches:
            names = _store(workspace).names()
            shown = f"{name}:{version}" if version else str(name)
            raise WebserviceException(
                f"Image {shown!r} not found in workspace {workspace.name!r}.",
                hint=suggestion.hint(shown, names, "Images"),
            )
        self._set(workspace, matches[0]._record)

    def _set(self, workspace: WorkspaceFiles, record: VersionRecord) -> None:
        self.workspace, self._record = workspace, record
        self.name, self.version = str(record["name"]), int(record["version"])

    @classmethod
    def _of(cls, workspace: WorkspaceFiles, record: VersionRecord) -> Image:
        image: Image = object.__new__(ContainerImage)
        image._set(workspace, record)
        return image

    @staticmethod
    def _refuse() -> NoReturn:
        """Raise NotImplementedError: configurations are those of ContainerImage."""
        raise NotImplementedError("Use ContainerImage.image_configuration(...).")

    image_configuration: ClassVar[Callable[..., ContainerImageConfig]] = _refuse

    @staticmethod
    def create(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object],
        image_config: ContainerImageConfig,
    ) -> Image:
        """Record the next version of the image ``name``: its files are copied now.

        ``models`` are Models or their IDs. Raises WebserviceException if files are missing.
        """
        image_config.validate_configuration()
        model_ids = [_model(workspace, model).id for model in models]
        record = image_config.build_create_payload(workspace, name, model_ids)
        record["files"] = image_files.store(workspace, image_files.chosen(image_config))
        if image_config.docker_file or image_config.base_image:
            one_time_notes.once("image", "Docker steps and base images of old images are ignored.")
        store = _store(workspace)
        return Image._of(workspace, store.get(name, store.add(name, record)))

    @staticmethod
    def list(  # the SDK's name for it
        workspace: WorkspaceFiles,
        image_name: str | None = None,
        model_name: str | None = None,
        model_id: str | None = None,
        tags: Tags = None,
        properties: Tags = None,
    ) -> builtins.list[Image]:
        """The images, grouped by name, newest first. ``tags``: names, or (name, value) pairs."""
        store, found = _store(workspace), []
        for name in [image_name] if image_name else store.names():
            for version in reversed(store.versions(name)):
                record = store.get(name, version)
                names = [each.rpartition(":")[0] for each in record["models"]]
                if model_name not in (None, *names) or model_id not in (None, *record["models"]):
                    continue
                if not model_metadata.has_tags(record.get("tags") or {}, tags):
                    continue
                if model_metadata.has_tags(record.get("properties") or {}, properties):
                    found.append(Image._of(workspace, record))
        return found

    @property
    def id(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.version}"

    @property
    def image_location(self) -> str:
        """The folder with the image's files."""
        return str(image_files.folder_of(self.workspace, self._record["files"]))

    @property
    def created_time(self) -> datetime.datetime:
        """When it was created, in UTC."""
        return datetime.datetime.fromisoformat(self._record["created"])

    @property
    def model_ids(self) -> builtins.list[str]:
        """The IDs of its models."""
        return [*self._record["models"]]

    @property
    def models(self) -> builtins.list[Model]:
        """Its models. Raises UserErrorException if one was deleted."""
        return [Model(self.workspace, id=each) for each in self.model_ids]

    @property
    def tags(self) -> dict[str, str]:
        """The tags: a copy."""
        return dict(self._record.get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """The properties: a copy."""
        return dict(self._record.get("properties") or {})

    @property
    def description(self) -> str | None:
        """The description of its configuration."""
        return self._record.get("description")

    def inference_config(self) -> InferenceConfig:
        """The image as ``Model.deploy`` takes it."""
        folder = Path(self.image_location)
        named = {key: self._record.get(key) for key in ("conda_file", "docker_file")}
        conda_file, docker_file = (str(folder / name) if name else None for name in named.values())
        return InferenceConfig(
            entry_script=self._record["script"],
            source_directory=str(folder),
            runtime="python",
            conda_file=conda_file,
            extra_docker_file_steps=docker_file,
            description=self.description,
            **self._record["settings"],
        )

    def update_creation_state(self) -> None:
        """Read the record again."""
        self._set(self.workspace, _store(self.workspace).get(self.name, self.version))

    def wait_for_creation(self, show_output: bool = False) -> None:
        """Return at once: an image is created when ``create`` returns."""
        if show_output:
            print(f"Image {self.id}: {self.creation_state}; no container is built.")

    def update(self, tags: Tags) -> None:
        """Replace the tags."""
        self._change(tags=_tags(tags))

    def add_tags(self, tags: Tags) -> None:
        """Add tags; existing ones get the new values."""
        self._change(tags={**self.tags, **_tags(tags)})

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove tags by name."""
        removed = {tags} if isinstance(tags, str) else set(tags)
        self._change(tags={key: self.tags[key] for key in self.tags if key not in removed})

    def add_properties(self, properties: Tags) -> None:
        """Add properties; existing ones keep their values."""
        self._change(properties={**_tags(properties), **self.properties})

    def _change(self, **changes: object) -> None:
        _store(self.workspace).change(self.name, self.version, changes)
        self.update_creation_state()

    def delete(self) -> None:
        """Delete this version. Services of it go on."""
        _store(self.workspace).remove(self.name, self.version)

    def serialize(self) -> Json:
        """Return the image in v1's format."""
        return {
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "createdTime": self._record["created"],
            "creationState": self.creation_state,
            "description": self.description,
            "imageFlavor": self.image_flavor,
            "imageLocation": self.image_location,
            "imageType": self.image_type,
            "modelIds": self.model_ids,
            "tags": self.tags,
            "properties": self.properties,
        }

    @classmethod
    def deserialize(cls, workspace: WorkspaceFiles, image_payload: Mapping[str, object]) -> Image:
        """Return the image that ``serialize`` wrote."""
        return Image(workspace, id=str(image_payload["id"]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace!r}, id={self.id!r})"


class ContainerImage(Image):
    """An image that serves models with a script."""

    @staticmethod
    def image_configuration(
        execution_script: str,
        runtime: str,
        conda_file: str | None = None,
        docker_file: str | None = None,
        schema_file: str | None = None,
        dependencies: builtins.list[str] | None = None,
        enable_gpu: bool | None = None,
        tags: Tags = None,
        properties: Tags = None,
        description: str | None = None,
        base_image: str | None = None,
        base_image_registry: object = None,
        cuda_version: str | None = None,
    ) -> ContainerImageConfig:
        """Configure an image; raises WebserviceException if files are missing.

        ``execution_script`` defines ``init()`` and ``run(data)``; the Python files of its directory
        and ``dependencies`` (files and folders) are copied with it. ``conda_file`` lists the
        packages. The settings of Docker are recorded, without effect.
        """
        config = ContainerImageConfig(
            execution_script, runtime, conda_file, docker_file, schema_file, dependencies,
            enable_gpu, tags, properties, description, base_image, base_image_registry,
            cuda_version=cuda_version,
        )  # fmt: skip
        config.validate_configuration()
        return config

    def run(self, input_data: str | bytes) -> Any:
        """Answer one request in a new process: calls ``init()`` once, then ``run(input_data)``.

        Raises WebserviceException if one of them fails.
        """
        text = input_data.decode() if isinstance(input_data, bytes) else input_data
        workspace = Workspace(self.workspace.root)
        run: Run = handler("scriptrun.services.deploy:answer_once")(
            workspace, f"image-{self.name}", self.models, self.inference_config(), text
        )
        try:
            run.wait_for_completion()
        except ScriptrunError as error:
            raise WebserviceException(f"Image {self.id!r} failed: {error.message}") from error
        response = files.read_bytes(run.path / "outputs" / "response.json")
        return None if response is None else files.parse_json(response)

    def serialize(self) -> Json:
        """Return the image in v1's format."""
        return super().serialize()


class UnknownImage(Image):
    """An image of a type that the SDK v1 does not know; there are none here."""

    def run(self) -> NoReturn:
        """Raise NotImplementedError: only a ContainerImage can answer."""
        raise NotImplementedError("Use ContainerImage(workspace, name).run(input_data).")


def _model(workspace: WorkspaceFiles, model: object) -> Model:
    return model if isinstance(model, Model) else Model(workspace, id=str(model))


def _name(path: str | None) -> str | None:
    return None if path is None else Path(path).name


def _tags(tags: Tags) -> dict[str, str]:
    """Tags as text by name; those of before 2019 may be a list of names."""
    if isinstance(tags, Mapping):
        return {str(name): str(value) for name, value in tags.items()}
    return {str(name): "" for name in ([tags] if isinstance(tags, str) else tags or ())}


def _store(workspace: WorkspaceFiles) -> VersionStore:
    return VersionStore(workspace.directory / "azureml" / "images")
