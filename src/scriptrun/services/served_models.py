"""The models of a service: found before anything is written, laid out in the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from scriptrun.registry import models as model_registry
from scriptrun.runtime import durability, foreign_names
from scriptrun.runtime.serving import order as service_order
from scriptrun.services.request import ServedModel
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: the version of a model that is not registered
_LOCAL_VERSION = 1


class FoundModel(Value):
    """A model as it is laid out: ``files`` are sources by their paths below ``folder``.

    ``folder`` is NAME/VERSION below the folder of all models, ``root`` the name of the model's file
    or folder in it. A registered model's files are links to the workspace's store; a local one's
    are copies.
    """

    name: str
    version: int
    folder: str
    root: str
    files: dict[str, Path]
    framework: str | None = None
    is_registered: bool = True

    def as_json(self) -> Json:
        """What the server's order says of it."""
        return {
            "name": self.name,
            "version": self.version,
            "framework": self.framework,
            "path": f"{service_order.MODELS}/{self.folder}/{self.root}",
        }


def find(
    workspace: WorkspaceFiles, models: Iterable[ServedModel], problems: list[str]
) -> list[FoundModel]:
    """The models, in the workspace and on this disk; adds what is wrong to ``problems``."""
    found: list[FoundModel] = []
    for model in models:
        try:
            new = _find(workspace, model)
        except UserErrorException as error:
            problems.append(" ".join(str(error).split()).removesuffix("."))
            continue
        twin = next((other for other in found if other.folder == new.folder), None)
        if twin is None:
            found.append(new)
        elif twin != new:
            problems.append(
                f"two models are both {new.name!r}, version {new.version}; rename one of them"
            )
    return found


def with_versions(
    models: Iterable[ServedModel], found: Iterable[FoundModel]
) -> tuple[ServedModel, ...]:
    """The models, each registered one in the version that was found."""
    latest = {model.name: model.version for model in found if model.is_registered}
    return tuple(
        model.replace(version=latest.get(model.name))
        if model.path is None and model.version is None
        else model
        for model in models
    )


def _find(workspace: WorkspaceFiles, model: ServedModel) -> FoundModel:
    if model.path is not None:
        files, root = model_registry.files_of(model.path)
        version, framework = _LOCAL_VERSION, model.framework
    else:
        record = model_registry.get(workspace, model.name, model.version)
        files, root = model_registry.stored_files(workspace, record), record["root"]
        version, framework = record["version"], model.framework or record.get("framework")
    folder = f"{model.name}/{version}"
    reason = foreign_names.problem(folder)
    if reason:
        raise UserErrorException(f"The model name {model.name!r} {reason}.", "Rename the model.")
    return FoundModel(model.name, version, folder, root, files, framework, model.path is None)


def model_dir(models: list[FoundModel]) -> str | None:
    """AZUREML_MODEL_DIR, relative to the run's folder: of one model its folder, else of all."""
    if not models:
        return None
    root = service_order.MODELS
    return f"{root}/{models[0].folder}" if len(models) == 1 else root


def lay_out(models: Iterable[FoundModel], run_folder: Path) -> None:
    """Write the models below the run's folder, durably."""
    top = run_folder / service_order.MODELS
    top.mkdir()
    for model in models:
        folder = top / model.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in model.files.items():
            path = Path(foreign_names.join(folder, name, f"Model {model.name!r}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            if model.is_registered:
                path.symlink_to(source)
            else:
                shutil.copy2(source, path)
    durability.sync_tree(top)
