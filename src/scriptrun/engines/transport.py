"""Commands on the machine whose engine is asked: here, or behind the system's ssh.

`Here` and `Ssh` promise the same: ``run`` executes a command and tells how it ended. A machine that
cannot be reached is an error with a sentence (`Unreachable`), and never says anything of a job. All
ssh commands of a host share one connection (ControlMaster), so that asking often is cheap.
"""

from __future__ import annotations

import functools
import os
import shlex
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from scriptrun.spec.errors import ComputeTargetException
from scriptrun.spec.values import Value

#: seconds that a command may take unless its caller says otherwise
PATIENCE = 60.0
#: seconds for which an ssh connection that nobody uses stays open
PERSIST = 120

_TROUBLES = (
    ("Could not resolve hostname", "unknown host name", "Check the name in ~/.ssh/config."),
    (
        "Host key verification failed",
        "its host key is unknown or has changed",
        "Connect once manually: ssh {host}",
    ),
    (
        "Permission denied",
        "permission denied",
        "Set up passwordless login with ssh-copy-id {host} or an ssh agent. If the host requires a "
        "second factor, set ControlPath in ~/.ssh/config and connect once manually.",
    ),
    ("Connection refused", "connection refused", "Check the host and the port."),
    ("timed out", "connection timed out", "Check the network or the VPN."),
    ("No route to host", "no route to host", "Check the network or the VPN."),
    ("Bad configuration option", "invalid ssh configuration", "Check ~/.ssh/config."),
)


class Unreachable(ComputeTargetException):
    """The machine that should be asked cannot be: nothing is known of its jobs."""


class Done(Value):
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """What it wrote to its standard output."""
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """What it wrote to its standard error, as one line."""
        return " ".join(self.err.decode("utf-8", "replace").split())


class Transport(Protocol):
    """Where an engine's commands are run."""

    @property
    def place(self) -> str:
        """The machine, in words: ``this machine`` or the host's name."""
        ...

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = PATIENCE,
        environ: dict[str, str] | None = None,
    ) -> Done:
        """Run ``argv`` to its end with ``input`` on its standard input.

        ``environ`` adds variables. A program that is not there ends with code 127. Raises
        Unreachable for a machine that cannot be reached or a command that takes too long.
        """
        ...


class Here(Value):
    """This machine."""

    @property
    def place(self) -> str:
        """In words."""
        return "this machine"

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = PATIENCE,
        environ: dict[str, str] | None = None,
    ) -> Done:
        """As `Transport.run`."""
        try:
            done = _run(argv, input, timeout, {**os.environ, **environ} if environ else None)
        except FileNotFoundError:
            return Done(127, b"", f"{argv[0]}: not found".encode())
        except PermissionError:
            return Done(126, b"", f"{argv[0]}: cannot be executed".encode())
        except subprocess.TimeoutExpired:
            raise Unreachable(
                f"{argv[0]} did not respond within {timeout:g} s.", "Try again later."
            ) from None
        return Done(done.returncode, done.stdout, done.stderr)


class Ssh(Value):
    """A machine behind ``ssh host``: a name that the user's own ssh configuration knows.

    ``config`` is another configuration file than the user's (default: $SCRIPTRUN_SSH_CONFIG).
    """

    host: str
    config: str | None = None

    @property
    def place(self) -> str:
        """In words."""
        return self.host

    @property
    def command(self) -> list[str]:
        """The ssh command up to the host's name."""
        named = self.config or os.environ.get("SCRIPTRUN_SSH_CONFIG")
        config = ("-F", named) if named else ()
        return ["ssh", *config, *_options(self.host, config), "--", self.host]

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = PATIENCE,
        environ: dict[str, str] | None = None,
    ) -> Done:
        """As `Transport.run`."""
        words = [f"{name}={value}" for name, value in (environ or {}).items()]
        line = shlex.join(["env", *words, *argv] if words else argv)
        try:
            done = _run([*self.command, line], input, timeout, None)
        except FileNotFoundError:
            raise Unreachable(
                f"Host {self.host!r} requires ssh, which is not installed on this machine.",
                "Install the OpenSSH client.",
            ) from None
        except subprocess.TimeoutExpired:
            raise Unreachable(
                f"{argv[0]} on {self.host} did not respond within {timeout:g} s.",
                "Try again later. The state of its runs is unknown until then.",
            ) from None
        if done.returncode == 255:
            raise self._unreachable(done.stderr.decode("utf-8", "replace"))
        return Done(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        """End the shared connection, if there is one."""
        subprocess.run(
            [*self.command[:-2], "-O", "exit", "--", self.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )

    def _unreachable(self, said: str) -> Unreachable:
        for mark, what, hint in _TROUBLES:
            if mark in said:
                why = f"Cannot reach host {self.host!r} over ssh: {what}."
                return Unreachable(why, hint.format(host=self.host))
        last = (said.strip().splitlines() or ["the connection was lost"])[-1]
        return Unreachable(
            f"Cannot reach host {self.host!r} over ssh: {last}.", f"Try: ssh {self.host}"
        )


def _run(
    argv: list[str], data: bytes, timeout: float, environ: dict[str, str] | None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, input=data, capture_output=True, timeout=timeout, env=environ)


@functools.cache
def _options(host: str, config: tuple[str, ...]) -> tuple[str, ...]:
    """Options for every command: never a question, and one connection for all of them."""
    options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"]
    if not _shares_already(host, config):
        folder = _sockets()
        if folder is not None:
            options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C"]
            options += ["-o", f"ControlPersist={PERSIST}"]
    return tuple(options)


def _shares_already(host: str, config: tuple[str, ...]) -> bool:
    """Whether the user's configuration shares connections to the host in its own way."""
    try:
        done = _run(["ssh", *config, "-G", "--", host], b"", PATIENCE, None)
    except (OSError, subprocess.TimeoutExpired):
        return False
    lines = done.stdout.decode("utf-8", "replace").lower().splitlines()
    return any(line.startswith("controlpath ") and line != "controlpath none" for line in lines)


def _sockets() -> Path | None:
    """A directory for connections' sockets: short, as their names must be, and this user's own."""
    folder = Path(tempfile.gettempdir()) / f"scriptrun-ssh-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return folder if own and not status.st_mode & 0o077 and len(str(folder)) < 45 else None
