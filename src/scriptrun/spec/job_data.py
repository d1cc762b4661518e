"""The data of a job: its inputs and outputs, as job.json holds them."""

from __future__ import annotations

from scriptrun.spec.values import Value, as_list, as_object, fresh, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from scriptrun.runtime.hints import Json


class DatasetPin(Value):
    """A dataset with the exact files that it had at submission.

    ``manifest`` is the digest of the list of files, which is stored in the workspace; ``roots``
    are the places that they come from, and ``definition`` is how the dataset selects them.
    """

    type: str = "file"
    id: str | None = None
    name: str | None = None
    version: int | None = None
    files: int = 0
    bytes: int = 0
    manifest: str = ""
    roots: tuple[Json, ...] = ()
    definition: Json = fresh(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The pin that ``as_dict`` wrote."""
        return super().from_dict({**data, "roots": tuple(as_list(data.get("roots"), "roots"))})


class JobInput(Value):
    """One input. ``kind`` is the dataset's, or "reference" for a path on a datastore.

    ``variables`` are further variables that name it; ``what`` is its dataset in words. A reference
    has ``datastore`` and ``path``; ``dataset`` is None until the files are pinned, and for a
    reference to a local folder, which is linked.
    """

    name: str = ""
    kind: str = "file"
    mode: str = "direct"
    path_on_compute: str | None = None
    variables: tuple[str, ...] = ()
    overwrite: bool = False
    datastore: str | None = None
    path: str | None = None
    what: str = ""
    dataset: DatasetPin | None = None

    def as_dict(self) -> Json:
        """As a JSON value, without what the input does not have."""
        return _without_none(super().as_dict(), "datastore", "path", "dataset")

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The input that ``as_dict`` wrote."""
        names = tuple(as_list(data.get("variables"), "variables"))
        pin = nested(DatasetPin, data.get("dataset"))
        return super().from_dict({**data, "variables": names, "dataset": pin})


class DatasetRegistration(Value):
    """The name under which an output becomes a dataset."""

    name: str = ""
    description: str | None = None
    tags: dict[str, str] = fresh(default_factory=dict)


class JobOutput(Value):
    """One output: the folder ``source`` on the node, written to ``path`` on ``datastore``.

    ``{run-id}`` and ``{output-name}`` in ``path`` are filled in on the node.
    """

    name: str = ""
    mode: str = "mount"
    datastore: str = ""
    path: str = ""
    source: str | None = None
    overwrite: bool = False
    source_globs: tuple[str, ...] | None = None
    registration: DatasetRegistration | None = None

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The output that ``as_dict`` wrote."""
        globs = data.get("source_globs")
        registration = nested(DatasetRegistration, data.get("registration"))
        return super().from_dict(
            {
                **data,
                "path": data.get("path") or "",
                "source_globs": None if globs is None else tuple(as_list(globs, "source_globs")),
                "registration": registration,
            }
        )


class JobData(Value):
    """The inputs and outputs of a job, and ``variables`` with paths that exist where it runs.

    ``expands`` is whether references to data in the job's own variables are expanded though it has
    neither inputs nor outputs: those of the submitting job, whose variables it inherits.
    """

    inputs: tuple[JobInput, ...] = ()
    outputs: tuple[JobOutput, ...] = ()
    variables: dict[str, str] = fresh(default_factory=dict)
    expands: bool = False

    @property
    def has_items(self) -> bool:
        """Whether there are inputs or outputs."""
        return bool(self.inputs or self.outputs)

    @property
    def items(self) -> tuple[JobInput | JobOutput, ...]:
        """The inputs, then the outputs."""
        return (*self.inputs, *self.outputs)

    @property
    def pins(self) -> list[DatasetPin]:
        """The pinned datasets of the inputs."""
        return [each.dataset for each in self.inputs if each.dataset is not None]

    def as_dict(self) -> Json:
        """As a JSON value: empty for a job without data."""
        values: Json = {"variables": dict(self.variables)} if self.variables else {}
        if self.has_items or self.expands:
            values["inputs"] = [each.as_dict() for each in self.inputs]
            values["outputs"] = [each.as_dict() for each in self.outputs]
        return values

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The data that ``as_dict`` wrote."""
        given_inputs, given_outputs = (as_list(data.get(n), n) for n in ("inputs", "outputs"))
        inputs = tuple(JobInput.from_dict(as_object(each, "inputs")) for each in given_inputs)
        outputs = tuple(JobOutput.from_dict(as_object(each, "outputs")) for each in given_outputs)
        expands = "inputs" in data and not (inputs or outputs)
        variables = dict(as_object(data.get("variables"), "variables"))
        return cls(inputs, outputs, variables, expands)


def _without_none(values: Json, *names: str) -> Json:
    return {name: value for name, value in values.items() if value is not None or name not in names}
