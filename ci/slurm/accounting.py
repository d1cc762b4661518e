"""Slurm's accounting for a scratch cluster: MariaDB and slurmdbd, so that ``sacct`` answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import system

_SQL = """\
create database if not exists slurm_acct;
create user if not exists slurm@127.0.0.1 identified by 'slurm';
grant all on slurm_acct.* to slurm@127.0.0.1;
create user if not exists slurm@localhost identified by 'slurm';
grant all on slurm_acct.* to slurm@localhost;
"""


def missing() -> str:
    """What this machine lacks for accounting; empty where it has all."""
    absent = [name for name in ("mariadbd", "slurmdbd") if not _which(name)]
    return f"{', '.join(absent)} (Debian: mariadb-server slurmdbd)" if absent else ""


def start(cluster: Any) -> None:
    """Start MariaDB and slurmdbd for ``cluster``, with the account ``lab`` for root."""
    place: Path = cluster.directory
    socket = place / "run" / "mysql.sock"
    data = place / "mysql"
    data.mkdir(exist_ok=True)
    argv = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}"]
    argv += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    cluster.order(*argv)
    cluster.pids["mariadbd"] = cluster.spawn(
        "mariadbd",
        [
            _which("mariadbd"),
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={socket}",
            "--bind-address=127.0.0.1",
            f"--port={cluster.ports['sql_port']}",
            f"--pid-file={place}/run/mariadbd.pid",
            "--innodb-buffer-pool-size=64M",
            "--innodb-flush-log-at-trx-commit=2",
        ],
    )
    client = ["mariadb", "--no-defaults", "-S", str(socket), "-e"]
    system.until(lambda: _succeeds([*client, "select 1"]), "mariadbd does not answer")
    subprocess.run([*client, _SQL], check=True)
    cluster.pids["slurmdbd"] = cluster.spawn("slurmdbd", [_which("slurmdbd"), "-D"])
    system.until(lambda: _answers(cluster), "slurmdbd does not answer")
    for words in (
        ["cluster", "ci"],
        ["account", "lab", "description=lab", "organization=lab"],
        ["user", "root", "account=lab"],
    ):
        cluster.run("sacctmgr", "-i", "add", *words, check=False)


def _answers(cluster: Any) -> bool:
    try:
        cluster.run("sacctmgr", "-n", "-i", "list", "cluster")
    except RuntimeError:
        return False
    return True


def _which(name: str) -> str:
    return shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin") or ""


def _succeeds(argv: list[str]) -> bool:
    return subprocess.run(argv, capture_output=True).returncode == 0
