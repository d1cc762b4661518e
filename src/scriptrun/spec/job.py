"""JobSpec: the immutable description of a job that all parts share. JSON only, never pickled."""

from __future__ import annotations

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.job_data import JobData
from scriptrun.spec.run_kinds import SCRIPT
from scriptrun.spec.values import Value, as_list, as_number, as_object, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from scriptrun.runtime.hints import Json

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
    settings: Json = fresh(default_factory=dict)


class Retry(Value):
    """How often a failed run is retried, and the causes of failure that allow it.

    A cause is "preempted", "node-lost", "time-limit", "exit:CODE" or "signal:NAME".
    """

    limit: int = 0
    causes: tuple[str, ...] = ()

    def as_dict(self) -> Json:
        """As a JSON value: empty for no retries."""
        return {"limit": self.limit, "on": list(self.causes)} if self.limit else {}

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The value that ``as_dict`` wrote."""
        given = {"limit": data.get("limit", 0), "causes": as_list(data.get("on"), "on")}
        checked = super().from_dict(given)
        return checked.replace(causes=tuple(checked.causes))


class Resources(Value):
    """The requested amounts per node, ``memory`` in bytes; None for what is not requested.

    With ``gpu_binding`` "process", each rank sees its own share of the GPUs.
    """

    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    gpu_binding: str | None = None

    def as_dict(self) -> Json:
        """As a JSON value, without what is not requested."""
        return {name: value for name, value in super().as_dict().items() if value is not None}


class Target(Value):
    """The compute target: the user's name for it, its class and the options of that class.

    ``run_options`` are those that the run itself has set; ``options`` include them.
    """

    name: str = "local"
    kind: str = "Local"
    options: Json = fresh(default_factory=dict)
    run_options: Json = fresh(default_factory=dict)

    def shown(self, option: str) -> object:
        """The value of an option for people: a list as one text; None for none."""
        value = self.options.get(option)
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def as_dict(self) -> Json:
        """As a JSON value, without the run's own options where it has none."""
        value = super().as_dict()
        if not self.run_options:
            del value["run_options"]
        return value


class JobSpec(Value):
    """A complete job: submission creates it from the user's input; later steps read nothing else.

    Times are ISO 8601 in UTC, durations seconds. ``script`` is relative to the snapshot;
    ``command`` (a shell line) replaces ``script`` and ``arguments``. ``variables`` are the job's
    environment variables with their values; ``passed`` are names of variables to take from the
    submitting process, whose values are never recorded. ``run_definition`` is the RunConfiguration
    as in the SDK v1's ``get_details()``.
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
    retry: Retry = fresh(default_factory=Retry)
    display_name: str = ""
    resources: Resources = fresh(default_factory=Resources)
    kind: str = SCRIPT
    parent: str | None = None
    root: str | None = None
    tags: dict[str, str | None] = fresh(default_factory=dict)
    properties: dict[str, str] = fresh(default_factory=dict)
    notes: tuple[str, ...] = ()
    run_definition: Json = fresh(default_factory=dict)
    data: JobData = fresh(default_factory=JobData)
    submitted_by: Json = fresh(default_factory=dict)
    rerun_of: str | None = None
    format: int = FORMAT

    @property
    def is_interactive(self) -> bool:
        """Whether no process is started for it: whoever made the run logs to it and ends it."""
        return self.kind == SCRIPT and not self.script and not self.command

    def to_dict(self) -> Json:
        """The job as a JSON value; the inverse of ``from_dict``."""
        return self.as_dict()

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """The job that ``to_dict`` wrote.

        Raises ValueError for a format newer than this version supports.
        """
        if as_number(data.get("format", FORMAT)) > FORMAT:
            raise ValueError(
                f"job.json has format {data['format']}; this scriptrun supports up to {FORMAT}"
            )
        lists: Json = {
            name: tuple(as_list(data[name], name))
            for name in ("arguments", "passed", "notes")
            if name in data
        }
        parts = {
            name: kind.from_dict(as_object(data.get(name), name)) for name, kind in _PARTS.items()
        }
        return super().from_dict({**data, **lists, **parts})


#: the fields of JobSpec that are values
_PARTS: dict[str, type[Value]] = {
    "environment": EnvironmentSpec,
    "target": Target,
    "distribution": Distribution,
    "retry": Retry,
    "resources": Resources,
    "data": JobData,
}
