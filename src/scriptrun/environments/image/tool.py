"""Run the container tool for long work: log its output, turn its errors into messages."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from scriptrun.environments import build_process
from scriptrun.environments.builder import Log, Stop
from scriptrun.runtime.containers import podman
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool, scratch

#: the number of last lines that an error shows
TAIL_LINES = 20
#: a line of podman's own log, such as a warning that it retries
_REMARK = re.compile(r'time="[^"]*" level=')


def run(
    arguments: Sequence[str],
    action: str,
    log: Log,
    stop: Stop,
    *,
    environ: Mapping[str, str] | None = None,
    masked: Sequence[str] = (),
) -> list[str]:
    """Run the tool and return its lines, which also go to ``log`` as they appear.

    ``action`` names the action in errors, as in "Pulling image x"; the secrets in ``masked`` are
    masked. Raises EnvironmentException with the last lines, and BuildCanceled.
    """
    tool = container_tool.require()
    argv = [*tool.line, *arguments]
    return execute(argv, tool.kind, action, log, stop, environ=environ, masked=masked)


def execute(
    argv: Sequence[str],
    kind: str,
    action: str,
    log: Log,
    stop: Stop,
    *,
    environ: Mapping[str, str] | None = None,
    masked: Sequence[str] = (),
) -> list[str]:
    """Like ``run``, for any program; ``kind`` is its name."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**podman.VARIABLES, **os.environ, **(environ or {})},
    )
    watchdog = build_process.Watchdog(process, stop)
    lines = []
    assert process.stdout is not None
    try:
        with process.stdout:
            for raw_line in process.stdout:
                line = raw_line.decode("utf-8", "replace").rstrip()
                for secret in masked:
                    line = line.replace(secret, "***") if secret else line
                lines.append(line)
                log(line)
        process.wait()
    finally:
        watchdog.close()
    watchdog.raise_if_ended(action)
    if process.returncode != 0:
        raise failure(action, kind, lines, process.returncode)
    return lines


def failure(action: str, kind: str, lines: Sequence[str], code: int) -> EnvironmentException:
    """The error for a failed action: its step, the last lines and a hint."""
    lines = [line for line in lines if not _REMARK.match(line)] or lines
    text = "\n".join(lines[-TAIL_LINES:])
    step = next((line for line in reversed(lines) if line.startswith(("STEP ", "Step "))), "")
    location = f" at {step}" if step else ""
    hint = _hint(text.lower(), kind, action.startswith("Pulling") or "registry" in text)
    shown = "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or f"  (exit code {code})"
    return EnvironmentException(f"{action} failed{location}:\n{shown}", hint)


def _hint(text: str, kind: str, uses_registry: bool) -> str:
    if "no space left" in text:
        return f"The disk is full. To free space, run: {kind} image prune"
    if not uses_registry:
        return ""
    if any(word in text for word in ("unauthorized", "authentication required", "denied")):
        return (
            f"The registry denied access. Log in on the submitting machine ({kind} login "
            "REGISTRY), or set base_image_registry.username and .password."
        )
    if any(word in text for word in ("no such host", "timeout", "connection refused", "dial tcp")):
        return "The registry is unreachable from this machine."
    if "manifest unknown" in text or "not found" in text:
        return "Check the image's name and tag."
    return ""


@contextmanager
def registry_login(address: str, username: str, password: str) -> Iterator[dict[str, str]]:
    """Yield variables that log the tool in to a registry, for the block only.

    The credentials are in a file that only its owner can read, never on a command line. Its format
    is docker's config.json, which containers-auth.json(5) accepts too.
    """
    if not (username and password):
        yield {}
        return
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    with scratch.Scratch("login") as folder:
        path = os.path.join(folder, "config.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
            json.dump({"auths": {address: {"auth": auth}}}, handle)
        yield {"REGISTRY_AUTH_FILE": path, "DOCKER_CONFIG": folder}
