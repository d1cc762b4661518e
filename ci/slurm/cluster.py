"""A real Slurm cluster of several nodes on this one machine, below a directory of its own.

In its plain form every node is a slurmd of this host (Debian's build has "multiple slurmd"); with
``hosts`` every node is a host of its own in network, PID and mount namespaces, whose first process
can be killed: a node's true death. Several clusters may live at once: each has ports, sockets, keys
and state of its own. Needs root, and Debian's slurmd, slurmctld, slurm-client and munge (with
``accounting`` also slurmdbd and mariadb-server).

    with Cluster(Path("somewhere")) as cluster:
        cluster.run("srun", "-N2", "hostname")

Everything that was started ends with this process, even when it is killed (see keeper.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import accounting as bookkeeping
import hosts
import settings
import system
from keeper import descendants

_HERE = Path(__file__).resolve().parent
#: seconds for which a requeued job waits before it is released
_QUIET = 2.5
#: the name of jobs that never run: of the questions whether the controller has saved its state
_MARK = "is-it-saved"
#: the programs that a cluster needs
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")


def missing() -> str:
    """What this machine lacks for a cluster; empty where it has all."""
    absent = [name for name in PROGRAMS if not system.which(name)]
    if absent:
        return f"{', '.join(absent)} (Debian: slurmd slurmctld slurm-client munge)"
    return "" if os.geteuid() == 0 else "root"


@dataclass
class Cluster:
    """A cluster below ``directory`` with the nodes n1, n2, ...; see the module's text.

    ``hide`` are directories that the cluster's daemons and jobs find empty, as they would if they
    were the submitter's own: with ``hosts`` or a login node behind ssh nothing else is shared.
    With ``cgroups`` control groups hold the jobs, and keep them to their memory.
    """

    directory: Path
    nodes: int = 2
    hosts: bool = False
    accounting: bool = False
    cgroups: bool = False
    hide: tuple[Path, ...] = ()
    pids: dict[str, int] = field(default_factory=dict)
    controllers: int = 0
    _keeper: Any = None

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # what a caller needs to know

    @property
    def names(self) -> list[str]:
        """The nodes' names; control groups are named after them, so no two clusters' are alike."""
        prefix = f"c{os.getpid()}n" if self.cgroups else "n"
        return [f"{prefix}{number}" for number in range(1, self.nodes + 1)]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make Slurm's commands talk to this cluster."""
        path = os.environ.get("PATH", os.defpath)
        if self.hosts:  # the commands must be run where the controller can be reached
            path = f"{self.directory / 'bin'}{os.pathsep}{path}"
        return {"SLURM_CONF": str(self.directory / "slurm.conf"), "PATH": path}

    def run(self, *argv: object, check: bool = True) -> str:
        """What a Slurm command (``"sinfo", "-h"``) says on its standard output."""
        done = subprocess.run(
            [str(word) for word in argv],
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=system.PATIENCE,
        )
        if check and done.returncode:
            raise RuntimeError(f"{argv[0]}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Each node's state in sinfo's short words: idle, mix, alloc, drain, down*, ...

        "" while the controller does not answer.
        """
        rows = self.run("sinfo", "-h", "-p", "main", "-N", "-o", "%N %t", check=False).split("\n")
        return {**dict.fromkeys(self.names, ""), **dict(row.split() for row in rows if row)}

    def jobs(self) -> dict[str, str]:
        """The jobs that wait or run: id to state (PENDING, RUNNING, ...)."""
        rows = self.run("squeue", "-h", "-o", "%i %T").split("\n")
        return dict(row.split() for row in rows if row)

    def log(self, name: str = "slurmctld") -> str:
        """A daemon's log: ``slurmctld``, ``slurmd-n1``, ..."""
        return (self.directory / "log" / f"{name}.log").read_text(errors="replace")

    # up and down

    def start(self) -> None:
        """Bring the cluster up, and return when all nodes are idle."""
        self.directory = self.directory.absolute()
        self._folders()
        self._keep()
        try:
            if self.hosts:
                hosts.make(self)
            self._configure()
            self._start_munge()
            if self.accounting:
                bookkeeping.start(self)
            self.start_controller(fresh=True)
            for name in self.names:
                self.start_slurmd(name)
            system.until(
                lambda: {*self.states().values()} == {"idle"},
                lambda: f"not idle: {self.states()} {self.jobs()} {self._last_words()}",
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of the cluster, jobs too."""
        if self._keeper is not None:
            self._keeper.stdin.close()
            try:
                self._keeper.wait(system.PATIENCE)
            finally:
                self._keeper.stdout.close()
                self._keeper = None
                self.pids.clear()

    def clear(self) -> None:
        """Cancel all jobs, start what was stopped and wait until every node is idle again."""
        if "slurmctld" not in self.pids or self.controllers > 1:
            self.stop()  # a controller that was started again takes long to find its nodes
            self.start()
            return
        for name in self.names:
            if f"host-{name}" not in self.pids and self.hosts:
                hosts.make_one(self, name)
            if f"slurmd-{name}" not in self.pids:
                self.start_slurmd(name)
        seen: dict[str, str] = {}
        killed = time.monotonic()

        def cleared() -> bool:
            nonlocal seen, killed
            try:
                states, jobs = self.states(), self.jobs()
            except RuntimeError:  # the controller did not answer in time
                return False
            if not jobs and {*states.values()} == {"idle"}:
                return True
            if {**states, **jobs} != seen:  # a node may be lost, a job may come, while we wait
                seen = {**states, **jobs}
                self.run("scancel", "--user=root", "--full", "--signal=KILL", check=False)
                self.run("scancel", "--user=root", check=False)
                for name, state in states.items():
                    if state.rstrip("*") not in ("", "idle", "mix", "alloc", "comp"):
                        self.resume(name)
            elif time.monotonic() - killed > 1:  # a step that began just then has heard nothing
                for pid in self._tasks(*self.names):
                    system.kill(pid)
                killed = time.monotonic()
            return False

        system.until(cleared, lambda: f"not clear: {seen} {self._last_words()}")

    # the controller

    def start_controller(self, fresh: bool = False) -> None:
        """Start slurmctld; it knows its jobs again unless ``fresh``."""
        settings.wait_for_answers(self.directory, settings.IMPATIENCE, settings.PATIENCE)
        argv = [system.which("slurmctld"), "-D", *(["-c"] if fresh else [])]
        self.controllers = 1 if fresh else self.controllers + 1
        self.pids["slurmctld"] = self.spawn("slurmctld-out", self.inside("ctl", argv))
        system.until(
            lambda: "UP" in self.run("scontrol", "ping", check=False),
            lambda: f"slurmctld does not answer: {self._last_words()}",
        )
        self.run("scancel", f"--name={_MARK}")

    def await_saved(self) -> None:
        """Wait until the controller has written down all jobs that it knows of by now.

        It does some seconds after a change; a job that it was told of in the meantime is forgotten
        when it is killed. A job that never runs is told to it, and looked for in its file.
        """
        mark = secrets.token_hex(16)
        argv = ("sbatch", "--hold", f"--job-name={_MARK}", f"--comment={mark}", "-o", "/dev/null")
        self.run(*argv, "--wrap=true")
        self.run("scancel", f"--name={_MARK}")
        state = self.directory / "state" / "job_state"
        system.until(
            lambda: state.exists() and mark.encode() in state.read_bytes(),
            lambda: f"the jobs were not written down: {self._last_words()}",
        )

    def kill_controller(self) -> None:
        """kill -9 of slurmctld; it is known to be dead, so Slurm's commands soon give up."""
        system.kill(self.pids.pop("slurmctld"))
        settings.wait_for_answers(self.directory, settings.PATIENCE, settings.IMPATIENCE)

    # a node

    def start_slurmd(self, name: str) -> None:
        """Start a node's slurmd."""
        argv = self.inside(name, [system.which("slurmd"), "-D", "-N", name])
        self.pids[f"slurmd-{name}"] = self.spawn(f"slurmd-{name}-out", argv)

    def kill_slurmd(self, name: str) -> None:
        """kill -9 of a node's slurmd alone: its jobs go on."""
        pid = self.pids.pop(f"slurmd-{name}")
        for each in (*(descendants(pid) if self.hosts else ()), pid):
            if system.comm(each) in ("slurmd", "nsenter"):
                system.kill(each)

    def kill_node(self, name: str) -> None:
        """A node's death: its slurmd and everything that ran there are gone at once."""
        self.pids.pop(f"slurmd-{name}", None)
        if self.hosts:
            system.kill(self.pids.pop(f"host-{name}"))
            return
        # again and again: what was about to be started when we looked, what is still dying
        system.until(lambda: not self._killed(name), f"processes of node {name} go on")
        # a slurmd that finds these removes the script of the job when that comes again
        system.remove_jobs(self.directory / "spool" / name)

    def drain(self, name: str, reason: str = "maintenance") -> None:
        """Let a node take no new job."""
        self.update_node(name, "drain", reason)

    def down(self, name: str, reason: str = "broken") -> None:
        """Declare a node dead at once, which ends or requeues its jobs."""
        self.update_node(name, "down", reason)

    def resume(self, name: str) -> None:
        """Let a node take jobs again."""
        self.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)

    def update_node(self, name: str, state: str, reason: str) -> None:
        """``scontrol update nodename=... state=... reason=...``."""
        self.run("scontrol", "update", f"nodename={name}", f"state={state}", f"reason={reason}")

    # a job

    def release(self, job: object, begun: Callable[[], object]) -> None:
        """Start a requeued job soon, and not after the two minutes that Slurm has it wait.

        Until ``begun()``, which looks at what the job does. It has waited for some seconds before
        it is released: a node takes a job that comes in the second in which it was killed for the
        killed one, and Slurm calls it failed.
        """
        quiet = time.monotonic()

        def done() -> bool:
            nonlocal quiet
            if begun():
                return True
            if self.jobs().get(str(job)) != "PENDING":
                quiet = time.monotonic()
            elif time.monotonic() - quiet > _QUIET:
                self.run("scontrol", "update", f"jobid={job}", "StartTime=now", check=False)
                quiet = time.monotonic()
            time.sleep(0.1)
            return False

        try:
            system.until(done, "")
        except TimeoutError:
            said = self.run("scontrol", "show", "job", str(job), check=False)
            raise TimeoutError(f"the job {job} was not released:\n{said}") from None

    # within

    def spawn(self, log: str, argv: list[str]) -> int:
        """Start a process that ends with the cluster; its pid. ``log`` names its file in log/."""
        path = str(self.directory / "log" / f"{log}.txt")
        conf = {"SLURM_CONF": str(self.directory / "slurm.conf")}
        return int(self._ask({"start": argv, "log": path, "environ": conf})["pid"])

    def end(self, pid: int) -> None:
        """kill -9 of a process that was spawned, and of all below it."""
        for each in (*descendants(pid), pid):
            system.kill(each)

    def order(self, *argv: object) -> str:
        """Run a command to its end where the cluster's daemons live; what it said."""
        said = self._ask({"run": [str(word) for word in argv]})
        if said["code"]:
            raise RuntimeError(f"{' '.join(map(str, argv))}: {said['said'].strip()}")
        return str(said["said"])

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        self._keeper.stdin.write(json.dumps(order) + "\n")
        self._keeper.stdin.flush()
        line = self._keeper.stdout.readline()
        if not line:
            raise RuntimeError("the cluster's keeper is gone")
        return dict(json.loads(line))

    def _folders(self) -> None:
        for name in ("state", "log", "run", "spool", "munge", "bin", "home"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "munge").chmod(0o700)
        for name in self.names:
            (self.directory / "tmp" / name).mkdir(parents=True, exist_ok=True)
        for number in range(settings.GPUS):
            device = self.directory / "run" / f"gpu{number}"
            if not device.exists():
                os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))

    def _keep(self) -> None:
        argv = [sys.executable, str(_HERE / "keeper.py")]
        if self.hide:
            argv = ["unshare", "--mount", "--propagation", "private", *argv]
        self._keeper = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        for path in self.hide:
            self.order("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path)

    def _configure(self) -> None:
        if self.hosts:
            ports = {"port": 6817, "slurmd_port": 6818}
            nodes = {
                name: f"NodeAddr={hosts.NETWORK}{10 + number}"
                for number, name in enumerate(self.names, 1)
            }
            controller = f"ctl({hosts.NETWORK}1)"
        else:
            host = socket.gethostname().partition(".")[0]
            free = system.free_ports(2 + self.nodes)
            ports = {"port": free[0], "slurmd_port": free[1]}
            nodes = {
                name: f"NodeHostName={host} NodeAddr=127.0.0.1 Port={free[2 + number]}"
                for number, name in enumerate(self.names)
            }
            controller = f"{host}(127.0.0.1)"
        if self.accounting:
            ports["dbd_port"], ports["sql_port"] = system.free_ports(2)
        self.ports = ports
        settings.write(self.directory, controller, ports, nodes, self.accounting, self.cgroups)

    def _start_munge(self) -> None:
        place = self.directory
        key = place / "munge" / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        socket_file = place / "run" / "munge.sock"
        socket_file.unlink(missing_ok=True)
        argv = [system.which("munged"), "-F", "--force", "--num-threads=2", f"--key-file={key}"]
        argv += [f"--socket={socket_file}", f"--pid-file={place}/run/munged.pid"]
        argv += [f"--log-file={place}/log/munged.log", f"--seed-file={place}/munge/seed"]
        self.pids["munged"] = self.spawn("munged-out", argv)
        system.until(socket_file.exists, "munged does not answer")

    def inside(self, host: str, argv: list[str]) -> list[str]:
        """``argv`` as it is run on a host (``ctl`` is the controller's)."""
        if not self.hosts:
            return argv
        spaces = ["-n", "-u"] if host == "ctl" else ["-n", "-u", "-p", "-m"]
        return ["nsenter", "-t", str(self.pids[f"host-{host}"]), *spaces, *argv]

    def _killed(self, name: str) -> list[int]:
        """The processes of a node that were still there to be killed."""
        found = self._of_node(name)
        for pid in found:
            system.kill(pid)
        return found

    def _of_node(self, name: str) -> list[int]:
        """Every process of a node: slurmd, slurmstepd, tasks and what they started."""
        everything, marked = descendants(self._keeper.pid), self._tasks(name)
        parents = {system.parent(pid) for pid in marked}
        roots = marked | {pid for pid in parents if system.comm(pid).startswith("slurmstep")}
        line = f"\0-N\0{name}\0".encode()
        roots |= {pid for pid in everything if system.cmdline(pid).endswith(line)}
        below = {each for pid in roots for each in descendants(pid)}
        return sorted(roots | below)

    def _tasks(self, *names: str) -> set[int]:
        """What jobs have started on these nodes."""
        marks = {f"SLURMD_NODENAME={name}".encode() for name in names}
        everything = descendants(self._keeper.pid)
        return {pid for pid in everything if marks & {*system.environ(pid)}}

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return " | ".join(self.log().strip().split("\n")[-3:])
        return ""
