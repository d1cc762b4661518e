"""A docker daemon of one's own in a directory, with the images of own.py; as root, no registry.

``SCRIPTRUN_TEST_CONTAINERS=docker ./dev test tests/conformance/test_containers.py`` has the tests
use it instead of podman. Needs Debian's docker.io.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import own

#: seconds after which what should have happened never will; see scriptrun.testing.jobs
PATIENCE = 300.0
_PROGRAM = """#!/bin/sh
export DOCKER_HOST="unix://{root}/docker.sock"
exec {docker} "$@"
"""


def bring_up(root: Path) -> Path:
    """Start the daemon below ``root`` and make its images; the path of the program to use."""
    (root / "bin").mkdir(parents=True)
    program = root / "bin" / "docker"
    program.write_text(_PROGRAM.format(root=root, docker=shutil.which("docker")))
    program.chmod(0o755)
    words = ["dockerd", "--data-root", root / "data", "--exec-root", root / "exec"]
    words += ["--pidfile", root / "pid", "--host", f"unix://{root}/docker.sock"]
    words += ["--bridge=none", "--iptables=false", "--ip6tables=false"]
    with open(root / "log.txt", "wb") as log:
        subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + PATIENCE
    while subprocess.run([program, "version"], capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError((root / "log.txt").read_text()[-2000:])
        time.sleep(0.1)
    for image in (own.BASE, own.BARE):
        own.add_image(program, root, image, python=image == own.BASE)
    return program


def end(root: Path) -> None:
    """Remove every container, end the daemon, and remove what lies there."""
    program = root / "bin" / "docker"
    left = subprocess.run([program, "ps", "-aq"], capture_output=True, text=True).stdout.split()
    if left:
        subprocess.run([program, "rm", "--force", *left], stdout=subprocess.DEVNULL)
    os.kill(int((root / "pid").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while (root / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    own.discard(root)
