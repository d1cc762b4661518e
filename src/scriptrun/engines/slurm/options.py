"""The options of a Slurm compute target, as plain values (docs/reference/compute.md)."""

from __future__ import annotations

from scriptrun.spec.values import Value


class SlurmOptions(Value):
    """The options of a Slurm cluster.

    ``partition``, ``account``, ``qos``, ``constraint`` and ``gres`` (as ``gpu:2``) are sbatch's.
    ``time`` is a limit (``90``, ``1:30:00``, ``2-0``, ``2h``). ``cpus`` and ``memory`` (as
    ``16G``) are what each node of a job gets that asks for nothing; ``max_nodes`` bounds a job's
    nodes. ``extra`` are further sbatch options (``--exclusive``), ``setup`` shell lines run before
    the job (``module load cuda``). ``python`` is a Python 3.8+ on the nodes for the launcher
    (default: this process's). ``requeue`` lets Slurm start a job again that was preempted or lost a
    node. ``warn`` is how many seconds before the time limit a job gets a signal to save; it is then
    started again, at most ``requeues`` times. ``mpi`` is srun's kind of MPI (``pmix``, ``pmi2``) or
    ``mpirun`` for the environment's own. ``containers`` is what the nodes run images with:
    ``podman``, ``apptainer`` or ``enroot`` (default: no containers). ``root`` is a directory that
    all nodes see, for built environments (default: in the workspace). ``scratch`` is a
    directory of each node's own disk (``/local/$USER``; variables are the node's), in which a run's
    working directory and the cache of its data lie; default: both where all nodes see them. With
    ``own_environments`` the job's environment is built there as well, from its lock, once per node.
    ``ssh`` names a login node, behind which ``tool`` is a Python that has scriptrun (default: one
    made below ``root``).
    """

    name: str = "slurm"
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    gres: str | None = None
    constraint: str | None = None
    cpus: int | None = None
    memory: str | None = None
    max_nodes: int | None = None
    extra: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    python: str | None = None
    requeue: bool = True
    warn: int | None = None
    requeues: int = 100
    mpi: str | None = None
    containers: str | None = None
    root: str | None = None
    scratch: str | None = None
    own_environments: bool = False
    ssh: str | None = None
    tool: str | None = None
