"""The smaller sections of a RunConfiguration, with the names and defaults of the SDK v1."""

from __future__ import annotations

from collections.abc import Sequence

from scriptrun.config.section_base import Section
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.later import later
from scriptrun.spec.values import fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    import shlex
    from collections.abc import Iterable
    from typing import Any
else:
    shlex = later("shlex")


def split_options(options: str | Iterable[object] | None) -> list[str]:
    """Options for the container tool as a list; one string is split as a shell would.

    Raises RunConfigurationException for a line whose quotes are not closed.
    """
    if not isinstance(options, str):
        return [str(option) for option in options or ()]
    try:
        return shlex.split(options)
    except ValueError:
        raise RunConfigurationException(
            f"Unclosed quote in container options {options!r}.",
            "Use a list: arguments=['--cap-add=SYS_PTRACE'].",
        ) from None


class DockerConfiguration(Section):
    """Whether the job runs in a container, and the container's options.

    ``shm_size`` uses Docker's notation ("2g"); ``arguments`` are passed to ``docker run``; a string
    of them is split as a shell would.
    """

    use_docker: bool = False
    shared_volumes: bool = True
    arguments: list[str] = fresh(list)
    shm_size: str | None = "2g"

    def __init__(
        self,
        use_docker: bool = False,
        shared_volumes: bool = True,
        arguments: Sequence[str] = (),
        shm_size: str | None = None,
    ) -> None:
        super().__init__(
            use_docker=use_docker,
            shared_volumes=shared_volumes,
            arguments=split_options(arguments),
            shm_size=shm_size or "2g",
        )


class HistoryConfiguration(Section):
    """What a run records. For old files: scriptrun always stores outputs, logs and snapshot."""

    output_collection: bool = True
    snapshot_project: bool = True
    directories_to_watch: list[str] = fresh(lambda: ["logs"])


def _spark_defaults() -> dict[str, Any]:
    return {"spark.app.name": "Azure ML Experiment", "spark.yarn.maxAppAttempts": 1}


class SparkConfiguration(Section):
    """Spark's own settings."""

    configuration: dict[str, Any] = fresh(_spark_defaults)


class HdiConfiguration(Section):
    """HDInsight's settings."""

    yarn_deploy_mode: str | None = "cluster"


class ParallelTaskConfiguration(Section):
    """Settings of parallel tasks."""

    max_retries_per_worker: int = 0
    worker_count_per_node: int = 1
    terminal_exit_codes: list[int] | None = None


class AmlComputeConfiguration(Section):
    """A cluster created for one run: its VM size and maximum number of nodes."""

    vm_size: str | None = None
    vm_priority: str | None = None
    retain_cluster: bool = False
    name: str | None = None
    cluster_max_node_count: int | None = None


class KubernetesComputeConfiguration(Section):
    """The instance type on a Kubernetes target."""

    instance_type: str | None = None
