"""uv is fetched where there is no pip: from any index, only with the digest that is pinned."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import platform
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.2.3"
OTHERS = (
    f"uv-{VERSION}-py3-none-win_amd64.whl",
    f"uv-{VERSION}-py3-none-linux_armv6l.whl",
    f"uv-{VERSION}.tar.gz",
    "uv-1.2.30-py3-none-manylinux_2_17_x86_64.whl",
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="only on POSIX systems")


def wheel_name() -> str:
    family = "macosx_11_0" if sys.platform == "darwin" else "manylinux_2_17"
    if sys.platform != "darwin" and platform.libc_ver()[0] != "glibc":
        family = "musllinux_1_1"
    return f"uv-{VERSION}-py3-none-{family}_{platform.machine()}.whl"


def wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # without the time of day: all workers of the suite must name the tests alike
        program = zipfile.ZipInfo(f"uv-{VERSION}.data/scripts/uv")
        archive.writestr(program, "#!/bin/sh\necho uv speaks\n")
    return content.getvalue()


WHEEL = wheel()
DIGEST = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture
def serve(tmp_path):
    """An index on this machine: ``serve(page, kind)`` gives its address."""
    servers = []

    def start(page: str, kind: str) -> str:
        site = tmp_path / "site"
        (site / "simple" / "uv").mkdir(parents=True)
        (site / "files").mkdir()
        (site / "files" / wheel_name()).write_bytes(WHEEL)
        (site / "simple" / "uv" / "index.html").write_text(page, "utf-8")

        class Handler(http.server.SimpleHTTPRequestHandler):
            def guess_type(self, path):
                return kind

            def log_message(self, *args):
                pass

        handler = functools.partial(Handler, directory=site)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/simple"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def json_page(digest: str) -> str:
    files = [{"url": f"/files/{name}", "hashes": {"sha256": "0" * 64}} for name in OTHERS]
    files.append({"url": f"../../files/{wheel_name()}", "hashes": {"sha256": digest}})
    return json.dumps({"name": "uv", "files": files})


def html_page(digest: str) -> str:
    links = "".join(f'<a href="/files/{name}#sha256={"0" * 64}">{name}</a><br>' for name in OTHERS)
    last = f'<a href="../../files/{wheel_name()}#sha256={digest}">uv</a>'
    return f"<!DOCTYPE html><html><body>{links}{last}</body></html>"


def fetch(place: Path, index: str, *pinned: str, **variables: str) -> subprocess.CompletedProcess:
    """Bootstrap by wheel, as where ensurepip is missing."""
    hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in pinned)
    lock = place / "dev.txt"
    lock.write_text(f"six==1.0 \\\n    --hash=sha256:{'1' * 64}\nuv=={VERSION}{hashes}\nx==2\n")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "tools")!r})
import bootstrap
bootstrap.importlib.util.find_spec = lambda name: None
bootstrap.main({str(place / "venv")!r}, {str(lock)!r})
"""
    env = {name: value for name, value in os.environ.items() if "INDEX" not in name}
    env.update({"PIP_INDEX_URL": index, "no_proxy": "127.0.0.1"} | variables)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


@pytest.mark.parametrize(
    ("page", "kind"),
    [(json_page, "application/vnd.pypi.simple.v1+json"), (html_page, "text/html")],
    ids=["json", "html"],
)
def test_fetches_the_wheel_of_this_machine(page, kind, serve, tmp_path):
    done = fetch(tmp_path, serve(page(DIGEST), kind), "2" * 64, DIGEST)
    assert done.returncode == 0, done.stderr
    uv = tmp_path / "venv" / "bootstrap" / "uv"
    assert subprocess.run([uv], capture_output=True, text=True).stdout == "uv speaks\n"


@pytest.mark.parametrize(
    ("stated", "pinned"),
    [("3" * 64, DIGEST), (DIGEST, "3" * 64), ("", DIGEST)],
    ids=["index", "lock", "none"],
)
def test_refuses_what_has_another_digest(stated, pinned, serve, tmp_path):
    done = fetch(tmp_path, serve(html_page(stated), "text/html"), pinned)
    assert done.returncode == 1
    assert "does not have the digest" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv" / "bootstrap" / "uv").exists()


def test_says_what_to_do_where_no_wheel_suits(serve, tmp_path):
    index = serve(html_page(DIGEST).replace(wheel_name(), OTHERS[0]), "text/html")
    done = fetch(tmp_path, index, DIGEST)
    assert done.returncode == 1
    assert "install uv yourself" in done.stderr


def test_says_so_where_the_index_does_not_answer(tmp_path):
    done = fetch(tmp_path, "http://127.0.0.1:9/simple", DIGEST)
    assert done.returncode == 1
    assert "did not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_reads_the_index_from_pips_configuration(serve, tmp_path):
    index = serve(html_page(DIGEST), "text/html")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {index}\n")
    done = fetch(tmp_path, "", DIGEST, PIP_CONFIG_FILE=str(configuration))
    assert done.returncode == 0, done.stderr


def test_the_lock_file_pins_uv_with_digests():
    code = "import sys, json; sys.path.insert(0, 'tools'); import bootstrap\n"
    code += "v, d = bootstrap.pinned(open('requirements/dev.txt').read()); print(json.dumps([v, len(d)]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    version, digests = json.loads(done.stdout)
    assert version[0].isdigit()
    assert digests > 10


@pytest.mark.parametrize(("words", "code"), [(["help"], 0), ([], 0), (["tset"], 2)])
def test_dev_explains_itself(words, code):
    done = subprocess.run([ROOT / "dev", *words], capture_output=True, text=True, cwd="/")
    assert done.returncode == code
    assert "./dev test" in done.stdout + done.stderr
