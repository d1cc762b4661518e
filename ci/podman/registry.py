"""A real image registry on this machine that lets one user in: Debian's docker-registry.

``python registry.py DIRECTORY PORT`` serves one below DIRECTORY until it is ended.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

#: seconds after which what should have happened never will; see scriptrun.testing.jobs
PATIENCE = 300.0
#: who is let in, the password, and its bcrypt digest as ``htpasswd -nbB`` writes it
USER, PASSWORD = "someone", "opensesame"
_DIGEST = "$2y$05$o8CcaWhIfbR49vRIRcAoWumiGXZ8MNUXXCwj0wL7mpCOvWWMqGPAq"
_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{place}/data"}}}}
http: {{addr: "127.0.0.1:{port}", secret: tests}}
auth: {{htpasswd: {{realm: {realm}, path: "{place}/users"}}}}
"""


class Registry:
    """Serves while the ``with`` block lasts; ``address`` is what images' names begin with."""

    def __init__(self, place: Path, port: int = 0) -> None:
        self.place, self._port = place, port
        self.address = ""

    def __enter__(self) -> Registry:
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "users").write_text(f"{USER}:{_DIGEST}\n")
        for _ in range(1 if self._port else 3):  # another process may take a free port before
            if self._serves(self._port or _free()):
                return self
        raise RuntimeError((self.place / "log.txt").read_text())

    def _serves(self, port: int) -> bool:
        """Whether a registry comes to answer on ``port``; False: it ended, or was ended."""
        self.address, realm = f"127.0.0.1:{port}", f"registry-{secrets.token_hex(8)}"
        config = self.place / "config.yml"
        config.write_text(_CONFIG.format(place=self.place, port=port, realm=realm))
        with open(self.place / "log.txt", "wb") as log:
            words = ["docker-registry", "serve", str(config)]
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            if realm in _asks_for(port):
                return True
            time.sleep(0.02)
        self.__exit__()
        return False

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def missing() -> str:
    """The command that lacks, or ""."""
    return "" if shutil.which("docker-registry") else "docker-registry"


def _free() -> int:
    """A port below the range from which the kernel gives out its own."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.SystemRandom().randrange(20000, 32000)
            probe.bind(("127.0.0.1", port))
            return port


def _asks_for(port: int) -> str:
    """How whoever listens on ``port`` asks for a password: it names the realm."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(asked), contextlib.suppress(OSError, http.client.HTTPException):
        asked.request("GET", "/v2/")
        return asked.getresponse().getheader("WWW-Authenticate") or ""
    return ""


if __name__ == "__main__":
    with Registry(Path(os.path.abspath(sys.argv[1])), int(sys.argv[2])) as served:
        print(served.address, flush=True)
        served.process.wait()
