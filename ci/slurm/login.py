"""A login node for a scratch cluster: a real sshd on a loopback port, with keys of its own.

Whoever logs in finds another home directory than the submitter's; with the cluster's ``hide`` the
submitter's own directories are not there either.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import Cluster
from system import free_ports, until, which

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {place}/host_key
AuthorizedKeysFile {place}/authorized
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PidFile none
SetEnv {variables}
"""
_CLIENT = """\
Host login
  HostName 127.0.0.1
  Port {port}
  IdentityFile {place}/id
  IdentitiesOnly yes
  UserKnownHostsFile {place}/known
  StrictHostKeyChecking yes
"""


def missing() -> str:
    """What this machine lacks for a login node; empty where it has all."""
    absent = [name for name in ("sshd", "ssh", "ssh-keygen") if not which(name)]
    return f"{', '.join(absent)} (Debian: openssh-server openssh-client)" if absent else ""


@dataclass
class Login:
    """The login node ``login`` of ``cluster``: ``config`` is a configuration file for ssh.

    ``home`` is its users' home directory; ``path`` their PATH.
    """

    cluster: Cluster
    path: str = "/usr/bin:/bin"
    pid: int = 0
    port: int = 0
    place: Path = field(init=False)

    def __post_init__(self) -> None:
        self.place = self.cluster.directory / "ssh"

    @property
    def home(self) -> Path:
        """The home directory there."""
        return self.cluster.directory / "home"

    @property
    def config(self) -> Path:
        """What ``ssh -F`` takes."""
        return self.place / "config"

    def start(self) -> None:
        """Make the keys, and start sshd among the cluster's daemons."""
        self.place.mkdir(exist_ok=True)
        for name in ("host_key", "id"):
            if not (self.place / name).exists():
                argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.place / name]
                subprocess.run(argv, check=True)
        shutil.copyfile(self.place / "id.pub", self.place / "authorized")
        self.port = self.port or free_ports(1)[0]
        variables = {"HOME": self.home, "PATH": self.path, **self._slurm()}
        line = " ".join(f"{name}={value}" for name, value in variables.items())
        facts: dict[str, Any] = {"port": self.port, "place": self.place, "variables": line}
        (self.place / "sshd.conf").write_text(_SSHD.format(**facts))
        self.config.write_text(_CLIENT.format(**facts))
        key = (self.place / "host_key.pub").read_text()
        (self.place / "known").write_text(f"[127.0.0.1]:{self.port} {key}")
        Path("/run/sshd").mkdir(exist_ok=True)
        argv = [which("sshd"), "-D", "-e", "-f", str(self.place / "sshd.conf")]
        self.pid = self.cluster.spawn("sshd", argv)
        self._await()

    def stop(self) -> None:
        """The login node is gone: its sshd and every connection to it."""
        self.cluster.end(self.pid)

    def _slurm(self) -> dict[str, str]:
        return {"SLURM_CONF": self.cluster.environ["SLURM_CONF"]}

    def _await(self) -> None:
        argv = ["ssh", "-F", str(self.config), "-o", "BatchMode=yes", "login", "true"]
        log = self.cluster.directory / "log" / "sshd.txt"
        until(lambda: not subprocess.run(argv, capture_output=True).returncode, log.read_text)
