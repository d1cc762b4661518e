"""The configuration files of a scratch Slurm cluster, as text (man slurm.conf, gres.conf)."""

from __future__ import annotations

from pathlib import Path

#: seconds for which Slurm's commands wait for an answer, on a machine that may be heavily loaded;
#: and for a controller that is known to be dead, which they ask again and again in all that time
PATIENCE, IMPATIENCE = 15, 2
#: what a node has; slurmd believes it (config_overrides), whatever the machine has
CPUS, MEMORY, GPUS = 4, 16384, 2

_COMMON = """\
ClusterName=ci
SlurmctldHost={controller}
SlurmctldPort={port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={place}/run/munge.sock
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool/%n
TmpFS={place}/tmp/%n
SlurmctldPidFile={place}/run/slurmctld.pid
SlurmdPidFile={place}/run/slurmd-%n.pid
SlurmctldLogFile={place}/log/slurmctld.log
SlurmdLogFile={place}/log/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=2048
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldTimeout=60
SlurmdTimeout=60
MessageTimeout={patience}
TCPTimeout=5
BatchStartTimeout=120
UnkillableStepTimeout=180
InactiveLimit=0
KillWait=30
MinJobAge=600
Waittime=0
GresTypes=gpu
JobRequeue=1
SlurmctldDebug=info
SlurmdDebug=info
"""

#: what becomes of these lines where control groups hold the jobs
_CGROUPS = {
    "ProctrackType=proctrack/linuxproc": "ProctrackType=proctrack/cgroup",
    "TaskPlugin=task/none": "TaskPlugin=task/cgroup",
    "JobAcctGatherParams=OverMemoryKill\n": "",
}

_PARTITIONS = """\
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=main Default=YES PriorityTier=10
PartitionName=scavenge PriorityTier=1 GraceTime=300
PartitionName=closed State=DOWN
"""

_NO_ACCOUNTING = """\
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={place}/log/jobcomp.txt
"""

_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={place}/run/munge.sock
AccountingStorageEnforce=associations
JobCompType=jobcomp/none
"""

_DBD = """\
AuthType=auth/munge
AuthInfo=socket={place}/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser=root
LogFile={place}/log/slurmdbd.log
PidFile={place}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""


def write(
    place: Path,
    controller: str,
    ports: dict[str, int],
    nodes: dict[str, str],
    accounting: bool,
    cgroups: bool = False,
) -> None:
    """Write slurm.conf and its like into ``place``.

    ``nodes`` holds, for each node's name, where it is (``NodeAddr=... Port=...``); ``ports`` are
    ``port`` and ``slurmd_port``, with accounting also ``dbd_port`` and ``sql_port``. With
    ``cgroups`` jobs are kept together, and to their memory, by control groups (cgroup.conf).
    """
    facts = {"place": place, "controller": controller, "patience": PATIENCE, **ports}
    common = _COMMON
    for plain, grouped in _CGROUPS.items() if cgroups else ():
        common = common.replace(plain, grouped)
    conf = common.format(**facts) + (_ACCOUNTING if accounting else _NO_ACCOUNTING).format(**facts)
    for node, where in nodes.items():
        conf += (
            f"NodeName={node} {where} CPUs={CPUS} Boards=1 SocketsPerBoard=1 "
            f"CoresPerSocket={CPUS} ThreadsPerCore=1 RealMemory={MEMORY} Gres=gpu:{GPUS} "
            "State=UNKNOWN\n"
        )
    (place / "slurm.conf").write_text(conf + _PARTITIONS)
    lines = [f"NodeName={node} Name=gpu File={place}/run/gpu[0-{GPUS - 1}]" for node in nodes]
    (place / "gres.conf").write_text("\n".join(lines) + "\n")
    limits = "ConstrainRAMSpace=yes\n" if cgroups else ""
    (place / "cgroup.conf").write_text(f"CgroupAutomount=no\nCgroupPlugin=cgroup/v1\n{limits}")
    if accounting:
        (place / "slurmdbd.conf").write_text(_DBD.format(**facts))
        (place / "slurmdbd.conf").chmod(0o600)


def wait_for_answers(place: Path, before: int, seconds: int) -> None:
    """Have Slurm's commands wait for ``seconds``, and not for ``before``, from now on."""
    conf = place / "slurm.conf"
    line = "MessageTimeout={}\n"
    new = place / "slurm.conf.new"  # whoever reads finds the one or the other
    new.write_text(conf.read_text().replace(line.format(before), line.format(seconds)))
    new.replace(conf)
