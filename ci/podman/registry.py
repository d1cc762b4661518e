"""A real image registry on this machine that lets one user in: Debian's docker-registry.

``python registry.py DIRECTORY PORT`` serves one below DIRECTORY until it is ended.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

#: who is let in, the password, and its bcrypt digest as ``htpasswd -nbB`` writes it
USER, PASSWORD = "someone", "opensesame"
_DIGEST = "$2y$05$o8CcaWhIfbR49vRIRcAoWumiGXZ8MNUXXCwj0wL7mpCOvWWMqGPAq"
_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{place}/data"}}}}
http: {{addr: "127.0.0.1:{port}", secret: tests}}
auth: {{htpasswd: {{realm: registry, path: "{place}/users"}}}}
"""


class Registry:
    """Serves while the ``with`` block lasts; ``address`` is what images' names begin with."""

    def __init__(self, place: Path, port: int = 0) -> None:
        self.place = place
        self.address = f"127.0.0.1:{port or _free()}"

    def __enter__(self) -> Registry:
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "users").write_text(f"{USER}:{_DIGEST}\n")
        config = self.place / "config.yml"
        port = self.address.rpartition(":")[2]
        config.write_text(_CONFIG.format(place=self.place, port=port))
        with open(self.place / "log.txt", "wb") as log:
            words = ["docker-registry", "serve", str(config)]
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not _answers(int(port)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.place / "log.txt").read_text())
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def missing() -> str:
    """The command that lacks, or ""."""
    return "" if shutil.which("docker-registry") else "docker-registry"


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    with Registry(Path(os.path.abspath(sys.argv[1])), int(sys.argv[2])) as served:
        print(served.address, flush=True)
        served.process.wait()
