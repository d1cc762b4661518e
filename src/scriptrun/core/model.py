"""``Model``: a registered version of a trained model's files, with its origin."""

from __future__ import annotations

import builtins
import datetime
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from scriptrun.core import model_metadata
from scriptrun.core.dataset import Dataset
from scriptrun.core.model_metadata import ResourceConfiguration
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.registry import models as model_registry
from scriptrun.registry import service_use
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runs import marks
from scriptrun.runtime.injob import served_models
from scriptrun.spec.absent import absent
from scriptrun.spec.control_characters import escape
from scriptrun.spec.errors import (
    ModelNotFoundException,
    UserErrorException,
    WebserviceException,
)
from scriptrun.spec.run_kinds import handler
from scriptrun.store.versions import VersionRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from scriptrun.config.services.deployment import WebserviceDeploymentConfiguration
    from scriptrun.config.services.inference_config import InferenceConfig
    from scriptrun.core.model_metadata import Criteria
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.runtime.hints import Json
    from scriptrun.services.package import ModelPackage
    from scriptrun.services.webservice import Webservice


@absent("get_sas_urls", "The files are on this machine: use model.download().")
class Model:
    """The registered model ``name`` in ``version`` (default: the latest), or the one with ``id``
    (``name:version``).

    ``tags``, ``properties``, ``run_id`` and ``model_framework`` filter the versions. Raises
    ModelNotFoundException if there is none. ``tags``, ``description`` and ``properties`` are as of
    when the object was created; everything else of a version is fixed.
    """

    class Framework:
        """Names of frameworks, as the SDK v1 spells them."""

        CUSTOM = "Custom"
        TENSORFLOW = "TensorFlow"
        SCIKITLEARN = "ScikitLearn"
        ONNX = "Onnx"
        KERAS = "Keras"
        PYTORCH = "PyTorch"
        MULTI = "Multi"
        HUGGINGFACE = "HuggingFace"
        OPENAI = "OpenAI"

    def __init__(
        self,
        workspace: WorkspaceFiles,
        name: str | None = None,
        id: str | None = None,
        tags: Criteria = None,
        properties: Criteria = None,
        version: int | str | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
        **kwargs: object,
    ) -> None:
        if id is not None:
            name, _, version = id.rpartition(":")
        if name is None:
            raise UserErrorException(
                "Model requires a name or an ID.", "For example: Model(workspace, 'digits')."
            )
        self.workspace = workspace
        self._head: VersionRecord = model_registry.get(
            workspace, name, model_metadata.version_number(version)
        )
        has_criteria = any(
            criterion is not None for criterion in (tags, properties, run_id, model_framework)
        )
        if has_criteria and version is None:
            matches = Model.list(workspace, name, tags, properties, run_id, True, None, expand, 255,
                               model_framework)  # fmt: skip
            if not matches:
                raise ModelNotFoundException(
                    f"No version of model {name!r} matches the given criteria.",
                    hint="To list versions, use Model.list(workspace, name).",
                )
            self._head = matches[0]._head

    @classmethod
    def _from_version(cls, workspace: WorkspaceFiles, head: VersionRecord) -> Model:
        model = cls.__new__(cls)
        model.workspace, model._head = workspace, head
        return model

    @staticmethod
    def register(
        workspace: WorkspaceFiles,
        model_path: str | os.PathLike[str],
        model_name: str,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        datasets: Iterable[tuple[str, AbstractDataset]] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: builtins.list[str] | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: ResourceConfiguration | None = None,
        **kwargs: object,
    ) -> Model:
        """Register the file or folder ``model_path`` as the next version of ``model_name``.

        ``tags`` and ``properties``: strings by name; ``datasets``: (label, dataset) pairs. Raises
        UserErrorException if the path does not exist.
        """
        files, root = model_registry.files_of(model_path)
        if child_paths is not None:
            selected = {f"{root}/{Path(child_path).as_posix()}" for child_path in child_paths}
            files = {path: source for path, source in files.items() if path in selected}
        head = model_metadata.facts(locals())
        return Model._from_version(
            workspace, model_registry.add_version(workspace, model_name, files, root, head)
        )

    @staticmethod
    def of_run(run: Run, model_name: str, model_path: str | None = None, **facts: object) -> Model:
        """Register artifacts of ``run`` as the next version of ``model_name``.

        ``model_path`` names an artifact, or a folder of them (default: the model's name). Raises
        UserErrorException, listing the run's artifacts, if there is none; warns if the run failed,
        was canceled or is still active, or did not write them.
        """
        path = model_path or model_name
        marks.refuse_removed(run, "the origin of a model")
        files, root = model_metadata.artifacts_of(run, path)
        doubt = model_metadata.doubt(run, path)
        if doubt:
            warnings.warn(escape(doubt), stacklevel=3)
        head = {**model_metadata.facts(facts), **model_metadata.origin(run, path, files)}
        return Model._from_version(
            run.workspace, model_registry.add_version(run.workspace, model_name, files, root, head)
        )

    @staticmethod
    def list(  # the SDK's name for it
        workspace: WorkspaceFiles,
        name: str | None = None,
        tags: Criteria = None,
        properties: Criteria = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> builtins.list[Model]:
        """The registered versions, grouped by name, newest first.

        ``tags`` and ``properties``: names that a version must have, or (name, value) pairs, or a
        dict. ``latest``: only the latest version of each name.
        """
        models: builtins.list[Model] = []
        for head in model_registry.readable_versions(workspace, name):
            if latest and any(other.name == head["name"] for other in models):
                continue
            model = Model._from_version(workspace, head)
            if not model_metadata.has_tags(model.tags, tags) or not model_metadata.has_tags(
                model.properties, properties
            ):
                continue
            if run_id not in (None, model.run_id):
                continue
            if model_framework not in (None, model.model_framework):
                continue
            if dataset_id is None or dataset_id in [pair[1] for pair in head.get("datasets") or ()]:
                models.append(model)
        return models

    @staticmethod
    def deploy(
        workspace: WorkspaceFiles,
        name: str,
        models: Iterable[object] | None = None,
        inference_config: InferenceConfig | None = None,
        deployment_config: WebserviceDeploymentConfiguration | None = None,
        deployment_target: object = None,
        overwrite: bool = False,
        show_output: bool = False,
        *,
        pins: str | None = None,
    ) -> Webservice:
        """Serve ``models`` as the service ``name``; returns a Webservice at once.

        ``deployment_config`` is LocalWebservice, AciWebservice or AksWebservice
        ``.deploy_configuration(...)``: all of them are a service on this machine. Without
        ``inference_config`` the first model is served by what it is. ``overwrite`` replaces a
        service of that name. ``show_output`` waits, and prints the log. ``pins`` ("exact", "relax")
        is as for Experiment.submit. Raises WebserviceException
        with all problems.
        """
        service: Webservice = handler("scriptrun.services.deploy:deploy_model")(
            Workspace(workspace.root), name, models, inference_config, deployment_config,
            deployment_target, overwrite, show_output, pins or workspace.pins,
        )  # fmt: skip
        return service

    @staticmethod
    def package(
        workspace: WorkspaceFiles,
        models: Iterable[object],
        inference_config: InferenceConfig | None = None,
        generate_dockerfile: bool = False,
        image_name: str | None = None,
        image_label: str | None = None,
    ) -> ModelPackage:
        """A folder with a Dockerfile that serves ``models``: a ModelPackage."""
        package: ModelPackage = handler("scriptrun.services.package:package")(
            Workspace(workspace.root), models, inference_config, generate_dockerfile, image_name,
            image_label,
        )  # fmt: skip
        return package

    @staticmethod
    def print_configuration(
        models: Iterable[object],
        inference_config: InferenceConfig | None,
        deployment_config: WebserviceDeploymentConfiguration | None,
        deployment_target: object,
    ) -> None:
        """Print what ``deploy`` would be given."""
        names = ", ".join(str(getattr(model, "id", model)) for model in models or ())
        print(f"Models: {names or 'none'}")
        print(f"Inference configuration: {inference_config or 'chosen by the first model'}")
        target = getattr(deployment_target, "name", deployment_target)
        print(f"Deployment target: {target or 'this machine'}")
        if deployment_config is not None:
            deployment_config.print_deploy_configuration()

    @staticmethod
    def profile(
        workspace: WorkspaceFiles,
        profile_name: str,
        models: Iterable[object],
        inference_config: InferenceConfig,
        input_dataset: object,
        cpu: float | None = None,
        memory_in_gb: float | None = None,
        description: str | None = None,
    ) -> NoReturn:
        """Raise NotImplementedError: measure the service itself."""
        raise NotImplementedError(
            "Model.profile is not supported by scriptrun. Measure the service: deploy it, and send "
            "requests to its scoring_uri."
        )

    @staticmethod
    def get_model_path(
        model_name: str, version: int | None = None, _workspace: WorkspaceFiles | None = None
    ) -> str:
        """The read-only path of the model on this machine.

        In a service, and where the current directory has ``azureml-models/NAME/VERSION``, it is the
        path there. The default workspace is the job's, else that of this directory or the nearest
        parent.
        """
        served = None if _workspace is not None else served_models.path_of(model_name, version)
        if served is not None:
            return served
        workspace = _workspace or _current_workspace()
        return str(
            model_registry.cached_root(
                workspace, model_registry.get(workspace, model_name, version)
            )
        )

    def download(
        self,
        target_dir: str | os.PathLike[str] = ".",
        exist_ok: bool = False,
        exists_ok: bool | None = None,
    ) -> str:
        """Copy the model's files below ``target_dir`` and return the path of the file or folder.

        Raises UserErrorException if it exists, unless ``exist_ok``.
        """
        overwrite = exist_ok if exists_ok is None else exists_ok
        return str(model_registry.copy_to(self.workspace, self._head, Path(target_dir), overwrite))

    def delete(self) -> None:
        """Delete this version, with the content that no other version uses.

        Raises WebserviceException for a version that a service serves, even if it is stopped.
        """
        served = service_use.services_by_model(self.workspace).get((self.name, self.version), [])
        if served:
            raise WebserviceException(
                f"Model {self.id} is served by {', '.join(map(repr, served))}.",
                hint=f"Remove the service first: scriptrun service remove {served[0]}",
            )
        model_registry.remove(self.workspace, self._head)

    def update(
        self,
        tags: Mapping[str, object] | None = None,
        description: str | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: ResourceConfiguration | None = None,
    ) -> None:
        """Set new values for the given arguments."""
        arguments = {name: value for name, value in locals().items() if value is not None}
        self._change(model_metadata.changes(arguments))

    def add_tags(self, tags: Mapping[str, object]) -> None:
        """Add tags; existing ones get the new values."""
        self._change({"tags": {**self.tags, **model_metadata.texts(tags)}})

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove tags by name."""
        removed = set(tags)
        self._change(
            {"tags": {key: value for key, value in self.tags.items() if key not in removed}}
        )

    def add_properties(self, properties: Mapping[str, object]) -> None:
        """Add properties; existing ones keep their values."""
        self._change({"properties": {**model_metadata.texts(properties), **self.properties}})

    def update_tags_properties(
        self,
        add_tags: Mapping[str, object] | None = None,
        remove_tags: Iterable[str] | None = None,
        add_properties: Mapping[str, object] | None = None,
    ) -> None:
        """Add and remove tags, and add properties."""
        self.add_tags(add_tags or {})
        self.remove_tags(remove_tags or ())
        self.add_properties(add_properties or {})

    def add_dataset_references(self, datasets: Iterable[tuple[str, AbstractDataset]]) -> None:
        """Record the datasets that the model came from: (label, dataset) pairs."""
        self._change(
            {"datasets": [*(self._head.get("datasets") or ()), *model_metadata.pairs(datasets)]}
        )

    @property
    def files(self) -> builtins.list[Json]:
        """The files: ``path`` in the model, ``size`` in bytes, ``sha256``."""
        return [dict(entry) for entry in self._head["files"]]

    @property
    def created_time(self) -> datetime.datetime:
        """When the version was registered, in UTC."""
        return datetime.datetime.fromisoformat(self._head["created"])

    @property
    def id(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.version}"

    @property
    def url(self) -> str:
        """The model's URL, in v1's format."""
        return f"aml://asset/{self._head['key']}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags: a copy."""
        return dict(self._head.get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """The properties: a copy."""
        return dict(self._head.get("properties") or {})

    @property
    def run(self) -> Run | None:
        """The run that the model was registered from, or None."""
        workspace = Workspace(self.workspace.root)
        folder = workspace.find_run(self.run_id) if self.run_id else None
        return Run.at(workspace, folder) if folder else None

    @property
    def datasets(self) -> dict[str, builtins.list[AbstractDataset]]:
        """The datasets that the model came from, by label.

        Datasets that are not registered any more are skipped with a warning.
        """
        by_label: dict[str, builtins.list[AbstractDataset]] = {}
        for label, dataset_id in self._head.get("datasets") or ():
            try:
                by_label.setdefault(label, []).append(Dataset.get_by_id(self.workspace, dataset_id))
            except UserErrorException as error:
                warnings.warn(escape(f"{label} of model {self.id}: {error.message}"), stacklevel=2)
        return by_label

    @property
    def sample_input_dataset(self) -> AbstractDataset | None:
        """The sample of the model's input, or None."""
        return self._dataset("sample_input")

    @property
    def sample_output_dataset(self) -> AbstractDataset | None:
        """The sample of the model's output, or None."""
        return self._dataset("sample_output")

    @property
    def resource_configuration(self) -> ResourceConfiguration | None:
        """The resources for serving the model, or None."""
        values = self._head.get("resource")
        return None if values is None else ResourceConfiguration(**values)

    def _dataset(self, key: str) -> AbstractDataset | None:
        dataset_id = self._head.get(key)
        return None if dataset_id is None else Dataset.get_by_id(self.workspace, dataset_id)

    def serialize(self) -> Json:
        """The version's record as a JSON value."""
        return {**self._head, "id": self.id, "run_id": self.run_id}

    @staticmethod
    def deserialize(workspace: WorkspaceFiles, model_payload: Mapping[str, object]) -> Model:
        """The model that ``serialize`` returned."""
        return Model(workspace, id=str(model_payload["id"]))

    def __getattr__(self, name: str) -> Any:
        if name in _STORED_ATTRIBUTES:
            return self._head.get(_STORED_ATTRIBUTES[name])
        raise AttributeError(f"'Model' object has no attribute {name!r}")

    def __repr__(self) -> str:
        return (
            f"Model(workspace={self.workspace!r}, name={self.name}, id={self.id}, "
            f"version={self.version}, tags={self.tags}, properties={self.properties})"
        )

    def _change(self, changes: VersionRecord) -> None:
        self._head = model_registry.change(self.workspace, self._head, changes)


#: keys of the version's record by attribute name
_STORED_ATTRIBUTES = {
    "name": "name",
    "version": "version",
    "description": "description",
    "run_id": "run_id",
    "run_state": "run_state",
    "experiment_name": "experiment",
    "created_by": "created_by",
    "model_framework": "framework",
    "model_framework_version": "framework_version",
    "mime_type": "mime_type",
    "unpack": "unpack",
    "parent_id": "parent_id",
    "derived_model_ids": "derived_model_ids",
}


def _current_workspace() -> WorkspaceFiles:
    root = os.environ.get("SCRIPTRUN_WORKSPACE")
    return WorkspaceFiles(root) if root else WorkspaceFiles.from_config()
