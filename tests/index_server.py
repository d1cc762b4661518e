"""A package index on the loopback device that wants a name and a password: pip's simple API."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class Address(str):
    """A host and its port; ``hold`` is called before each answer."""

    def hold(self) -> None:
        pass


@contextmanager
def serving(
    folder: Path, user: str = "", password: str = "", dated: bool = False
) -> Iterator[Address]:
    """Serve the wheels of ``folder``, one folder a package; the host and port, as an address has it.

    ``dated``: as JSON, with the files' times as those of their upload.
    """
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            address.hold()
            if wanted and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            super().do_GET()

        def list_directory(self, path: str) -> None:
            files = Path(unquote(path)).iterdir()
            wheels = sorted(file for file in files if file.suffix in (".whl", ".gz"))
            page = _json(wheels) if dated else "".join(map(_link, wheels)).encode()
            kind = "application/vnd.pypi.simple.v1+json" if dated else "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = Address(f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


def _json(wheels: list[Path]) -> bytes:
    files = [
        {
            "filename": wheel.name,
            "url": wheel.name,
            "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
            "upload-time": f"{datetime.fromtimestamp(wheel.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        for wheel in wheels
    ]
    name = wheels[0].name.partition("-")[0] if wheels else "none"
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()


def _link(wheel: Path) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n'
