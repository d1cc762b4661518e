"""The base of file and tabular datasets: registration, versions, tags, named inputs."""

from __future__ import annotations

import datetime
import os
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.datasets import content
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig
from scriptrun.data.datasets.content import Content
from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.datastores.records import WorkspaceLike
from scriptrun.data.errors import DatasetValidationError
from scriptrun.runtime import files
from scriptrun.spec.absent import absent
from scriptrun.spec.digests import canonical
from scriptrun.store.versions import VersionRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

Self = TypeVar("Self", bound="AbstractDataset")
_NAMESPACE = uuid.UUID("3b7a9a3e-52d5-4b60-8f0b-1f4d9d1c6a11")


@absent("__getitem__ get_partition_key_values", "Use Dataset.Tabular.")
class AbstractDataset:
    """A list of files that can be registered: created by ``Dataset.File`` and ``Dataset.Tabular``.

    It is a description: data is read on request. A dataset that you got by name or ID, or from
    ``register``, is fixed: it lists its files with their sizes and ETags.
    """

    kind: ClassVar[str] = ""
    _kinds: ClassVar[dict[str, type[AbstractDataset]]] = {}

    def __init_subclass__(cls) -> None:
        AbstractDataset._kinds[cls.kind] = cls

    def __init__(
        self,
        files: Content,
        options: Json | None = None,
        head: VersionRecord | None = None,
        workspace: WorkspaceLike | None = None,
    ) -> None:
        self._content = files
        self._options = options or {}
        self._head: VersionRecord = head or {}
        self._workspace = workspace

    @staticmethod
    def from_head(workspace: WorkspaceLike, head: VersionRecord) -> AbstractDataset:
        """The dataset of a registered version."""
        kind = AbstractDataset._kinds.get(head["type"])
        if kind is None:
            raise DatasetValidationError(
                f"Dataset {head['name']!r} has the unknown type {head['type']!r}.",
                "A newer scriptrun may have created it.",
            )
        files = content.from_facts(head, head["definition"], workspace)
        return kind(files, head["definition"].get("options"), head, workspace)

    @staticmethod
    def from_pin(workspace: WorkspaceLike, pin: Json) -> AbstractDataset:
        """The dataset of a ``pin``: exactly those files, whatever happened to its name."""
        kind = AbstractDataset._kinds[pin["type"]]
        files = content.from_facts(pin, pin["definition"], workspace)
        head = {"description": None, "tags": {}, **pin} if pin.get("version") else None
        return kind(files, pin["definition"].get("options"), head, workspace)

    @staticmethod
    def get_by_name(
        workspace: WorkspaceLike, name: str, version: int | str | None = "latest", **kwargs: object
    ) -> Any:  # a FileDataset or a TabularDataset: only the caller knows
        """The registered dataset. Raises UserErrorException for an unknown name or version."""
        head = dataset_versions.get(workspace, name, dataset_versions.parse_version(version))
        return AbstractDataset.from_head(workspace, head)

    @staticmethod
    def get_by_id(workspace: WorkspaceLike, id: str, **kwargs: object) -> Any:
        """The registered version with this ID; in a job, also an input of the job.

        Raises UserErrorException if there is none.
        """
        pin = _find_job_input(id)
        if pin is not None:
            return AbstractDataset.from_pin(workspace, pin)
        return AbstractDataset.from_head(workspace, dataset_versions.find_by_id(workspace, id))

    @staticmethod
    def get_all(workspace: WorkspaceLike) -> dict[str, Any]:
        """The registered datasets by name, each in its latest version."""
        heads = dataset_versions.latest(workspace)
        return {head["name"]: AbstractDataset.from_head(workspace, head) for head in heads}

    @property
    def id(self) -> str:
        """The registered version's ID; else an ID that depends only on the definition."""
        if self._head:
            return str(self._head["id"])
        return str(uuid.uuid5(_NAMESPACE, canonical([self.kind, self._definition()])))

    @property
    def name(self) -> str | None:
        """The name that it is registered under, or None."""
        return self._head.get("name")

    @property
    def version(self) -> int | None:
        """The number of the registered version, or None."""
        return self._head.get("version")

    @property
    def description(self) -> str | None:
        """The description given at registration, or None."""
        return self._head.get("description")

    @property
    def tags(self) -> dict[str, str]:
        """A copy of its tags."""
        return dict(self._head.get("tags") or {})

    @property
    def data_changed_time(self) -> datetime.datetime | None:
        """When the version's files were listed, in UTC; None for what is not registered."""
        created = self._head.get("created")
        return datetime.datetime.fromisoformat(created) if created else None

    @property
    def partition_keys(self) -> list[str]:
        """The columns that come from the files' paths; only tables have any."""
        return []

    @property
    def sources(self) -> list[str]:
        """The sources of its files, as text."""
        return [str(source) for source in self._content.sources]

    def listed(self) -> Iterator[ManifestRow]:
        """Its files in order: path, size in bytes (-1 where unknown) and ETag of each.

        Raises DatasetValidationError for a source that matches no files.
        """
        return self._content.rows()

    def incoming(self) -> list[RemoteFile]:
        """Its files, as input for ``transfer.download``."""
        return list(self._content.remote_files())

    def register(
        self: Self,
        workspace: WorkspaceLike,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | dict[str, str | None] | None = None,
        create_new_version: bool = False,
        *,
        exist_ok: bool = False,
        update_if_exist: bool = False,
        visible: bool = True,
    ) -> Self:
        """List the files, and store that list as the next version of ``name``.

        ``update_if_exist`` is an old name of ``create_new_version``; ``exist_ok`` alone returns the
        latest version of a name that is taken; ``visible`` is ignored.

        A dataset that equals the latest version gets that version's number. Raises
        UserErrorException if the name is taken and ``create_new_version`` is false, and
        DatasetValidationError if there are no files.
        """
        create_new_version = create_new_version or update_if_exist
        if (
            exist_ok
            and not create_new_version
            and dataset_versions.version_numbers(workspace, name)
        ):
            existing = AbstractDataset.get_by_name(workspace, name)
            if isinstance(existing, type(self)):
                return existing
        facts = self._facts(workspace, with_digests=True)
        head = {
            "type": self.kind,
            "description": description,
            "tags": dict(tags or {}),
            **facts,
            "definition": self._definition(),
        }
        stored = dataset_versions.add(workspace, name, head, create_new_version)
        dataset = AbstractDataset.from_head(workspace, stored)
        assert isinstance(dataset, type(self))
        return dataset

    def pin(self, workspace: WorkspaceLike) -> Json:
        """This dataset as a small JSON value that fixes its files permanently.

        ``type``, ``id``, ``name``, ``version`` (None if not registered), ``files``, ``bytes``,
        ``manifest`` (the digest of the list, which is stored in the workspace), ``roots`` and
        ``definition``. Lists the files now, unless the dataset is a registered version.
        """
        facts = self._facts(workspace)
        if not facts["files"]:
            raise DatasetValidationError(f"{self!r} has no files.", "Check its paths.")
        return {
            "type": self.kind,
            "id": self.id,
            "name": self.name,
            "version": self.version,
            **facts,
            "definition": self._definition(),
        }

    def _facts(self, workspace: WorkspaceLike, with_digests: bool = False) -> Json:
        names = ("files", "bytes", "manifest", "roots")
        if self._head and not self._content.steps and workspace.id == self._workspace_id():
            return {name: self._head[name] for name in names}
        return self._content.freeze(workspace, with_digests)[1]

    def _workspace_id(self) -> str:
        return self._workspace.id if self._workspace is not None else ""

    def _definition(self) -> Json:
        if self._head and not self._content.steps:
            definition: Json = dict(self._head["definition"])
        else:
            definition = self._content.definition()
        definition.pop("options", None)
        return {**definition, "options": self._options} if self._options else definition

    def versions(self) -> list[int]:
        """The numbers of all versions of this name; [] for what is not registered."""
        return (
            dataset_versions.version_numbers(self._require_workspace(), self._head["name"])
            if self._head
            else []
        )

    def unregister_all_versions(self) -> None:
        """Remove every version of this name. The data itself is kept."""
        dataset_versions.remove(self._require_workspace(), self._head["name"])
        self._head = {}

    def add_tags(self, tags: dict[str, str] | None = None) -> None:
        """Add or change tags of the version."""
        self.update(tags={**self.tags, **(tags or {})})

    def remove_tags(self, tags: list[str] | None = None) -> None:
        """Remove tags from the version."""
        removed = set(tags or ())
        self.update(tags={key: value for key, value in self.tags.items() if key not in removed})

    def update(self, description: str | None = None, tags: dict[str, str] | None = None) -> None:
        """Set the version's description, its tags, or both."""
        changes: Json = {}
        if description is not None:
            changes["description"] = description
        if tags is not None:
            changes["tags"] = tags
        self._head = dataset_versions.change(self._require_workspace(), self._head, changes)

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """This dataset as a job's input of that name: ``run.input_datasets[name]``."""
        return DatasetConsumptionConfig(name, self)

    def _require_workspace(self) -> WorkspaceLike:
        if self._workspace is None or not self._head:
            raise DatasetValidationError(
                "This dataset is not registered.",
                "Register it with dataset.register(workspace, name).",
            )
        return self._workspace

    def _with(self: Self, files: Content, **options: object) -> Self:
        """A copy with other files or options, no longer the registered version."""
        return type(self)(files, {**self._options, **options}, None, self._workspace)

    def __repr__(self) -> str:
        sources = ", ".join(map(str, self._content.sources[:3]))
        ellipsis = "..." if len(self._content.sources) > 3 else ""
        label = f"{self.name!r}, version {self.version}, " if self._head else ""
        return f"{type(self).__name__}({label}{sources}{ellipsis})"


def _find_job_input(dataset_id: str) -> Json | None:
    """The pin of the current job's input with this ID, or None.

    Scripts get tables by ID, even unregistered ones.
    """
    folder = os.environ.get("SCRIPTRUN_RUN_FOLDER")
    job = files.read_json(os.path.join(folder, "job.json")) if folder else None
    inputs = ((job or {}).get("data") or {}).get("inputs") or []
    pins = (input_spec.get("dataset") or {} for input_spec in inputs)
    return next((pin for pin in pins if pin.get("id") == dataset_id), None)
