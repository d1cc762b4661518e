"""Workspace: a directory of plain files with runs, snapshots and registries."""

from __future__ import annotations

import os

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import WorkspaceException
from scriptrun.spec.run_kinds import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.cleanup.report import PruneReport
    from scriptrun.config.environments.environment import Environment
    from scriptrun.core.experiment import Experiment
    from scriptrun.core.keyvault import Keyvault
    from scriptrun.core.model import Model
    from scriptrun.core.run import Run
    from scriptrun.core.run_list import RunList
    from scriptrun.data.datastores.classes import AbstractDatastore
    from scriptrun.preparation.build import DockerImageDetails, ImageBuildDetails
    from scriptrun.services.webservice import Webservice


class Workspace(WorkspaceFiles):
    """A workspace: the directory ``root``, which contains ``.scriptrun/``.

    ``create`` creates one, ``get`` and ``from_config`` find one, ``Workspace(root)`` opens the one
    in ``root``. Raises WorkspaceException if there is none.
    """

    @property
    def compute_targets(self) -> dict[str, Any]:
        """The compute targets by name, including ``local`` and aliases."""
        from scriptrun.registry import compute_targets

        return compute_targets.ComputeTargets(self)

    @property
    def datastores(self) -> dict[str, AbstractDatastore]:
        """The datastores by name, including the workspace's own two."""
        from scriptrun.data.datastores import classes as datastore_classes

        return dict(datastore_classes.all_datastores(self))

    @property
    def datasets(self) -> dict[str, Any]:
        """The registered datasets by name, each in its latest version."""
        from scriptrun.core.dataset import Dataset

        return Dataset.get_all(self)

    @property
    def models(self) -> dict[str, Model]:
        """The registered models by name, each in its latest version."""
        from scriptrun.core.model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def webservices(self) -> dict[str, Webservice]:
        """The services by name (Webservice)."""
        services = handler("scriptrun.services.webservice:Webservice").list(self)
        return {service.name: service for service in services}

    def set_default_datastore(self, name: str) -> None:
        """Set the default datastore by name."""
        from scriptrun.core.datastore import Datastore

        Datastore.get(self, name).set_as_default()

    def get_default_datastore(self) -> AbstractDatastore:
        """The default datastore: ``workspaceblobstore`` unless you set another."""
        from scriptrun.core.datastore import Datastore

        return Datastore.get_default(self)

    def get_default_keyvault(self) -> Keyvault:
        """This user's secrets for this workspace, then those for all (``scriptrun secret``)."""
        from scriptrun.core.keyvault import Keyvault

        return Keyvault(self)

    def get_mlflow_tracking_uri(self, *args: object, **kwargs: object) -> str:
        """MLflow's tracking URI: the run's own store in a job, else ``.scriptrun/mlflow/``.

        What MLflow logs in a job becomes part of the run's metrics.
        """
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # required by newer releases
        return os.environ.get("MLFLOW_TRACKING_URI") or (self.directory / "mlflow").as_uri()

    @property
    def environments(self) -> dict[str, Environment]:
        """The registered and the curated environments by name, each in its latest version."""
        return self.list_environments()

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The experiments by name, including those that mlflow created."""
        from scriptrun.core.experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    def register_environment(self, environment: Environment) -> Environment:
        """Register ``environment`` as the next version of its name, unless it is unchanged."""
        from scriptrun.registry import environments as environment_registry

        return environment_registry.register(self, environment)

    def keep_wheel(self, path: str | os.PathLike[str], exist_ok: bool = False) -> str:
        """Store the wheel at ``path``; return its URL for pip requirements."""
        from scriptrun.registry import wheels

        return wheels.add(self, path, exist_ok)

    def get_environment(self, name: str, version: str | None = None) -> Environment:
        """The environment of that name, registered or curated; by default the latest version."""
        from scriptrun.registry import environments as environment_registry

        return environment_registry.get(self, name, version)

    def list_environments(self) -> dict[str, Environment]:
        """The registered and the curated environments by name."""
        from scriptrun.registry import environments as environment_registry

        return environment_registry.all_environments(self)

    def build_environment(self, environment: Environment) -> ImageBuildDetails:
        """Lock and build ``environment`` now, printing progress; return the completed build.

        Raises EnvironmentException, naming the package and the reason.
        """
        from scriptrun.preparation import build as build_environment
        from scriptrun.registry import image_registries

        lines: list[str] = []
        image_registries.store_passwords(environment)
        ready = build_environment.build(self, environment, lines.append)
        return build_environment.ImageBuildDetails(ready, lines)

    def get_image_details(self, environment: Environment) -> DockerImageDetails:
        """The build result of ``environment`` on this machine."""
        from scriptrun.preparation import build as build_environment

        return build_environment.image_details(self, environment)

    @property
    def container_registry(self) -> dict[str, str]:
        """The registry for images built for this workspace: ``address``, ``username``."""
        from scriptrun.registry import image_registries

        return image_registries.workspace_registry(self)

    def set_container_registry(
        self, address: str | None, username: str | None = None, password: str | None = None
    ) -> None:
        """Push images built from now on to the registry ``address``; None to stop.

        Images that others have built are pulled from there. The password is stored as this user's
        secret ``registry-ADDRESS``, never in the workspace.
        """
        from scriptrun.registry import image_registries

        image_registries.set_registry(self, address, username, password)

    def get_run(self, run_id: str) -> Run:
        """The run with this id. Raises UserErrorException when there is none."""
        from scriptrun.core.run import Run

        return Run.get(self, run_id)

    def runs(
        self,
        query: str = "",
        sort: str | None = None,
        limit: int | None = None,
        children: bool = False,
    ) -> RunList:
        """The runs that match ``query``, newest first: ``ws.runs("metrics.loss<0.5")``.

        ``sort`` names fields, with ``-`` for descending: ``"-metrics.accuracy"``. Child runs are
        left out unless ``children`` is True, archived and removed ones unless the query is about
        them: ``ws.runs("archived")``. ``to_pandas`` of the list gives a data frame. Raises
        QueryException for an invalid query.
        """
        from scriptrun.core import run_list

        return run_list.find(self, query, sort, limit, children)

    def prune(
        self,
        query: str = "",
        older_than: float | None = None,
        removed_before: float = 0.0,
        dry_run: bool = False,
    ) -> PruneReport:
        """Delete removed runs for good, and what nothing refers to; returns what that frees.

        ``query`` also selects ended runs that match it, ``older_than`` those that ended at least so
        many seconds ago; together, those to which both apply. ``removed_before`` spares runs that
        were removed less than so many seconds ago. Runs that are active, pinned or the source of a
        registered model are kept. ``dry_run`` deletes nothing.
        """
        from scriptrun.cleanup import prune
        from scriptrun.cleanup.selection import Criteria

        criteria = Criteria(query, older_than, removed_before)
        return prune.plan(self, criteria) if dry_run else prune.prune(self, criteria)

    def delete(self, delete_dependent_resources: bool = False, no_wait: bool = False) -> None:
        """Delete ``.scriptrun/`` with all runs. Raises WorkspaceException while a run is active."""
        from scriptrun.core.run import Run

        alive = [run.id for run in Run.unfinished(self)]
        if alive:
            raise WorkspaceException(
                f"Workspace {self.name!r} has active runs: {', '.join(alive[:5])}.",
                "Cancel them first: scriptrun cancel RUN",
            )
        import shutil

        shutil.rmtree(self.directory)
