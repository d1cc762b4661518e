"""JobSpec: the immutable description of a job that all parts share. JSON only, never pickled."""

from __future__ import annotations

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.values import Value, fresh, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1


class Distribution(Value):
    """How many processes run on how many nodes.

    ``kind`` is "" (one process), "mpi", "pytorch", "tensorflow" or "nodes" (the command once per
    node). ``processes`` is the total, None if the kind decides; ``settings`` contains settings of
    the kind (backend, parameter servers).
    """

    kind: str = ""
    nodes: int = 1
    processes_per_node: int = 1
    processes: int | None = None
    settings: dict[str, Any] = fresh(default_factory=dict)


class Target(Value):
    """The compute target: the user's name for it, its class and the options of that class."""

    name: str = "local"
    kind: str = "Local"
    options: dict[str, Any] = fresh(default_factory=dict)


class JobSpec(Value):
    """A complete job: submission creates it from the user's input; later steps read nothing else.

    Times are ISO 8601 in UTC, durations seconds. ``script`` is relative to the snapshot;
    ``command`` (a shell line) replaces ``script`` and ``arguments``. ``variables`` are the job's
    environment variables with their values; ``passed`` are names of variables to take from the
    submitting process, whose values are never recorded. ``run_definition`` is the RunConfiguration
    as in the SDK v1's ``get_details()``. ``resources`` are the requested amounts per node:
    ``cpus``, ``gpus`` and ``memory`` (bytes).
    """

    id: str
    experiment: str
    workspace: str
    created: str
    snapshot: str | None = None
    source_directory: str = ""
    script: str | None = None
    arguments: tuple[str, ...] = ()
    command: str | None = None
    environment: EnvironmentSpec = fresh(default_factory=EnvironmentSpec)
    target: Target = fresh(default_factory=Target)
    distribution: Distribution = fresh(default_factory=Distribution)
    variables: dict[str, str] = fresh(default_factory=dict)
    passed: tuple[str, ...] = ()
    max_run_duration_seconds: float | None = None
    grace_seconds: float = 10.0
    warn_before_seconds: float | None = None
    retry: dict[str, Any] = fresh(default_factory=dict)
    display_name: str = ""
    resources: dict[str, Any] = fresh(default_factory=dict)
    kind: str = "azureml.scriptrun"
    parent: str | None = None
    root: str | None = None
    tags: dict[str, str | None] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()
    run_definition: dict[str, Any] = fresh(default_factory=dict)
    data: dict[str, Any] = fresh(default_factory=dict)
    submitted_by: dict[str, Any] = fresh(default_factory=dict)
    rerun_of: str | None = None
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """The job as a JSON value; the inverse of ``from_dict``."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> JobSpec:
        """The job that ``to_dict`` wrote.

        Raises ValueError for a format newer than this version supports.
        """
        if data.get("format", FORMAT) > FORMAT:
            raise ValueError(
                f"job.json has format {data['format']}; this scriptrun supports up to {FORMAT}"
            )
        fields = {name: data[name] for name in names_of(cls) if name in data}
        for name in ("arguments", "passed", "notes"):
            if name in fields:
                fields[name] = tuple(fields[name])
        fields["environment"] = EnvironmentSpec.from_dict(fields.get("environment", {}))
        fields["target"] = Target(**fields.get("target", {}))
        fields["distribution"] = Distribution(**fields.get("distribution", {}))
        return cls(**fields)
