"""Run the container tool for long work: log its output, turn its errors into messages."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from scriptrun.environments import build_process
from scriptrun.environments.builder import Log, Stop
from scriptrun.runtime.containers import podman
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

#: the number of last lines that an error shows
SHOWN = 20
#: a line of podman's own log, such as a warning that it retries
_REMARK = re.compile(r'time="[^"]*" level=')


def run(
    words: Sequence[str],
    doing: str,
    log: Log,
    stop: Stop,
    *,
    environ: Mapping[str, str] | None = None,
    told: Sequence[str] = (),
) -> list[str]:
    """Run the tool and return its lines, which also go to ``log`` as they appear.

    ``doing`` names the action in errors, as in "Pulling image x"; the secrets in ``told`` are
    masked. Raises EnvironmentException with the last lines, and BuildCanceled.
    """
    tool = container_tool.require()
    argv = [*tool.line, *words]
    return execute(argv, tool.kind, doing, log, stop, environ=environ, told=told)


def execute(
    argv: Sequence[str],
    kind: str,
    doing: str,
    log: Log,
    stop: Stop,
    *,
    environ: Mapping[str, str] | None = None,
    told: Sequence[str] = (),
) -> list[str]:
    """Like ``run``, for any program; ``kind`` is its name."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**podman.VARIABLES, **os.environ, **(environ or {})},
    )
    watch = build_process.Watch(process, stop)
    lines = []
    assert process.stdout is not None
    try:
        with process.stdout:
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                for secret in told:
                    line = line.replace(secret, "***") if secret else line
                lines.append(line)
                log(line)
        process.wait()
    finally:
        watch.over()
    watch.judge(doing)
    if process.returncode != 0:
        raise failure(doing, kind, lines, process.returncode)
    return lines


def failure(doing: str, kind: str, lines: Sequence[str], code: int) -> EnvironmentException:
    """The error for a failed action: its step, the last lines and a hint."""
    lines = [line for line in lines if not _REMARK.match(line)] or lines
    text = "\n".join(lines[-SHOWN:])
    step = next((line for line in reversed(lines) if line.startswith(("STEP ", "Step "))), "")
    where = f" at {step}" if step else ""
    hint = _hint(text.lower(), kind, doing.startswith("Pulling") or "registry" in text)
    shown = "\n".join(f"  {line}" for line in lines[-SHOWN:]) or f"  (exit code {code})"
    return EnvironmentException(f"{doing} failed{where}:\n{shown}", hint)


def _hint(text: str, kind: str, pulls: bool) -> str:
    if "no space left" in text:
        return f"The disk is full. To free space, run: {kind} image prune"
    if not pulls:
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
def logged_in(address: str, username: str, password: str) -> Iterator[dict[str, str]]:
    """Yield variables that log the tool in to a registry, for the block only.

    The credentials are in a file that only its owner can read, never on a command line. Its format
    is docker's config.json, which containers-auth.json(5) accepts too.
    """
    if not (username and password):
        yield {}
        return
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    with tempfile.TemporaryDirectory(prefix="scriptrun-login-") as folder:
        path = os.path.join(folder, "config.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
            json.dump({"auths": {address: {"auth": auth}}}, handle)
        yield {"REGISTRY_AUTH_FILE": path, "DOCKER_CONFIG": folder}
