"""Runs an engine's commands, on this machine or over the system's ssh.

Both transports have the same interface: ``run`` executes a command and returns its result. If a
machine cannot be reached, ``HostUnreachable`` is raised, which says nothing about the state of
jobs. All ssh commands to a host share one connection (ControlMaster), so that polling is cheap.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import shlex
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Protocol

from scriptrun.spec.errors import ComputeTargetException
from scriptrun.spec.values import Value
from scriptrun.store import dependents

#: default timeout of a command, in seconds
COMMAND_TIMEOUT = 60.0
#: seconds in which a host must accept a connection
CONNECT_SECONDS = 10
#: bytes that a host may answer to one command, since they are held in memory
MAX_ANSWER = 4 << 30
#: seconds for which an idle ssh connection stays open
IDLE_SECONDS = 120

_SSH_ERRORS = (
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


class HostUnreachable(ComputeTargetException):
    """The machine cannot be reached: the state of its jobs is unknown."""


class CommandResult(Value):
    """A finished command: its exit code and its output."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """The standard output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def error_line(self) -> str:
        """The standard error in one line."""
        return " ".join(self.err.decode("utf-8", "replace").split())


class Transport(Protocol):
    """Runs an engine's commands on some machine."""

    @property
    def machine(self) -> str:
        """The machine's name for messages: ``this machine`` or the host."""
        ...

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = COMMAND_TIMEOUT,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        """Run ``argv`` with ``input`` on its standard input and return the result.

        ``environ`` adds variables. A missing program has exit code 127. Raises HostUnreachable if
        the machine cannot be reached or the command takes too long.
        """
        ...


class LocalTransport(Value):
    """This machine."""

    @property
    def machine(self) -> str:
        """The name of this machine for messages."""
        return "this machine"

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = COMMAND_TIMEOUT,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        """See ``Transport.run``."""
        try:
            result = _run(argv, input, timeout, {**os.environ, **environ} if environ else None)
        except FileNotFoundError:
            return CommandResult(127, b"", f"{argv[0]}: not found".encode())
        except PermissionError:
            return CommandResult(126, b"", f"{argv[0]}: cannot be executed".encode())
        except subprocess.TimeoutExpired:
            raise HostUnreachable(
                f"{argv[0]} did not respond within {timeout:g} s.", "Try again later."
            ) from None
        return CommandResult(result.returncode, result.stdout, result.stderr)


class SshTransport(Value):
    """A machine reached by ``ssh host``, a name from the user's ssh configuration.

    ``config`` is an alternative configuration file (default: $SCRIPTRUN_SSH_CONFIG).
    """

    host: str
    config: str | None = None

    @property
    def machine(self) -> str:
        """The host's name for messages."""
        return self.host

    @property
    def command(self) -> list[str]:
        """The ssh command up to and including the host's name."""
        config_file = self.config or os.environ.get("SCRIPTRUN_SSH_CONFIG")
        config = ("-F", config_file) if config_file else ()
        return ["ssh", *config, *_ssh_options(self.host, config), "--", self.host]

    def run(
        self,
        argv: list[str],
        input: bytes = b"",
        timeout: float = COMMAND_TIMEOUT,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        """See ``Transport.run``."""
        assignments = [f"{name}={value}" for name, value in (environ or {}).items()]
        command_line = shlex.join(["env", *assignments, *argv] if assignments else argv)
        try:
            result = _run_bounded([*self.command, command_line], input, timeout)
        except FileNotFoundError:
            raise HostUnreachable(
                f"Host {self.host!r} requires ssh, which is not installed on this machine.",
                "Install the OpenSSH client.",
            ) from None
        except subprocess.TimeoutExpired:
            raise HostUnreachable(
                f"{argv[0]} on {self.host} did not respond within {timeout:g} s.",
                "Try again later. The state of its runs is unknown until then.",
            ) from None
        if result is None:
            raise HostUnreachable(
                f"{argv[0]} on {self.host} sent more than {MAX_ANSWER >> 20:,} MiB.",
                "Check what is wrong with the host, or with scriptrun there.",
            )
        if result.returncode == 255:
            raise self._unreachable(result.stderr.decode("utf-8", "replace"))
        return CommandResult(result.returncode, result.stdout, result.stderr)

    def close(self) -> None:
        """Close the shared connection if there is one."""
        subprocess.run(
            [*self.command[:-2], "-O", "exit", "--", self.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
        )

    def _unreachable(self, output: str) -> HostUnreachable:
        for pattern, problem, hint in _SSH_ERRORS:
            if pattern in output:
                message = f"Cannot reach host {self.host!r} over ssh: {problem}."
                return HostUnreachable(message, hint.format(host=self.host))
        last_line = (output.strip().splitlines() or ["the connection was lost"])[-1]
        return HostUnreachable(
            f"Cannot reach host {self.host!r} over ssh: {last_line}.", f"Try: ssh {self.host}"
        )


def _run(
    argv: list[str], data: bytes, timeout: float, environ: dict[str, str] | None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, input=data, capture_output=True, timeout=timeout, env=environ)


def _run_bounded(
    argv: list[str], data: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes] | None:
    """As ``_run``; None if the output exceeds ``MAX_ANSWER``, which ends the command."""
    deadline = time.monotonic() + timeout
    pipe = subprocess.PIPE
    # unbuffered: a pipe can then be closed while a thread still reads from it
    process = subprocess.Popen(argv, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe)
    with process, dependents.tied(process):
        assert process.stdin and process.stdout and process.stderr
        ended: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
        readers = [_Reader(stream, ended) for stream in (process.stdout, process.stderr)]
        writer = threading.Thread(target=_write_all, args=(process.stdin, data), daemon=True)
        try:
            for thread in (writer, *readers):
                thread.start()
            for _ in readers:
                if ended.get(timeout=max(0.0, deadline - time.monotonic())).is_too_long:
                    process.kill()
                    return None
            process.wait(max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            process.kill()
            raise subprocess.TimeoutExpired(argv, timeout) from None
        except BaseException:
            process.kill()
            raise
    out, err = (b"".join(reader.chunks) for reader in readers)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


class _Reader(threading.Thread):
    """Reads one output of a command, up to ``MAX_ANSWER``, and then adds itself to ``ended``."""

    def __init__(self, stream: IO[bytes], ended: queue.SimpleQueue[_Reader]) -> None:
        super().__init__(name="scriptrun-ssh", daemon=True)
        self._stream, self._ended = stream, ended
        self.chunks: list[bytes] = []
        self.is_too_long = False

    def run(self) -> None:
        """Read to the end."""
        self._read()
        self._ended.put(self)

    def _read(self) -> None:
        size = 0
        with contextlib.suppress(OSError, ValueError):  # closed, as the time is up
            while chunk := self._stream.read(1 << 20):
                size += len(chunk)
                if size > MAX_ANSWER:
                    self.is_too_long = True
                    return
                self.chunks.append(chunk)


def _write_all(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it ended before it read all
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
    with contextlib.suppress(OSError, ValueError):
        stream.close()


@functools.cache
def _ssh_options(host: str, config: tuple[str, ...]) -> tuple[str, ...]:
    """Options for every command: never prompt, and share one connection."""
    options = [
        "-o",
        "BatchMode=yes",
        "-o",
        f"ConnectTimeout={CONNECT_SECONDS}",
        "-o",
        "ServerAliveInterval=15",
    ]
    if not _shares_connection(host, config):
        folder = _socket_folder()
        if folder is not None:
            options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C"]
            options += ["-o", f"ControlPersist={IDLE_SECONDS}"]
    return tuple(options)


def _shares_connection(host: str, config: tuple[str, ...]) -> bool:
    """Whether the user's ssh configuration already shares connections to the host."""
    try:
        result = _run(["ssh", *config, "-G", "--", host], b"", COMMAND_TIMEOUT, None)
    except (OSError, subprocess.TimeoutExpired):
        return False
    lines = result.stdout.decode("utf-8", "replace").lower().splitlines()
    return any(line.startswith("controlpath ") and line != "controlpath none" for line in lines)


def _socket_folder() -> Path | None:
    """A private directory for control sockets; sockets require a short path."""
    folder = Path(tempfile.gettempdir()) / f"scriptrun-ssh-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    is_own_folder = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return (
        folder if is_own_folder and not status.st_mode & 0o077 and len(str(folder)) < 45 else None
    )
