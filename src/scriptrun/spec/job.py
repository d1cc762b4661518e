"""JobSpec: the one immutable value that crosses every border. JSON only; nothing is pickled."""

from __future__ import annotations

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.values import Value, fresh, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1


class Distribution(Value):
    """How many processes run where.

    ``kind`` is "" (one process), "mpi", "pytorch", "tensorflow" or "nodes" (the command once a
    node). ``processes`` is the total, None where the kind decides; ``settings`` holds what only one
    kind knows (backend, parameter servers).
    """

    kind: str = ""
    nodes: int = 1
    processes_per_node: int = 1
    processes: int | None = None
    settings: dict[str, Any] = fresh(default_factory=dict)


class Target(Value):
    """The compute target: the name that the user gave, its class and that class's options."""

    name: str = "local"
    kind: str = "Local"
    options: dict[str, Any] = fresh(default_factory=dict)


class JobSpec(Value):
    """One job, complete: all before it made it of what the user wrote, all after it reads only it.

    Times are ISO 8601 in UTC, durations seconds. ``script`` is relative to the snapshot;
    ``command`` (a shell line) stands instead of ``script`` and ``arguments``. ``variables`` are the
    named variables of the job with their values; ``passed`` are names that are taken from the
    submitting process, whose values are never written down. ``run_definition`` is the
    RunConfiguration as the SDK v1 shows it in ``get_details()``. ``resources`` is what each node
    must give: ``cpus``, ``gpus`` and ``memory`` (bytes), each only where it was asked for.
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
        """A JSON value; ``from_dict`` is the way back."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> JobSpec:
        """The job that ``to_dict`` wrote.

        Raises ValueError for a format newer than this version knows.
        """
        if data.get("format", FORMAT) > FORMAT:
            raise ValueError(
                f"job.json has format {data['format']}; this scriptrun supports up to {FORMAT}"
            )
        known = {name: data[name] for name in names_of(cls) if name in data}
        for name in ("arguments", "passed", "notes"):
            if name in known:
                known[name] = tuple(known[name])
        known["environment"] = EnvironmentSpec.from_dict(known.get("environment", {}))
        known["target"] = Target(**known.get("target", {}))
        known["distribution"] = Distribution(**known.get("distribution", {}))
        return cls(**known)
