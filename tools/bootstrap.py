"""Gets uv where there is none: by venv and pip, else the wheel itself, checked (standard library).

    python3 tools/bootstrap.py VENV REQUIREMENTS

REQUIREMENTS is the lock file that pins uv and its digests. Debian's plain python3 has neither pip
nor ensurepip; there the wheel is fetched from the package index that is configured and unpacked as
VENV/bootstrap/uv. The simple index API is that of PEP 503 and PEP 691.
"""

from __future__ import annotations

import configparser
import hashlib
import html.parser
import importlib.util
import io
import json
import os
import platform
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

#: the Python Package Index, where nothing else is configured
DEFAULT_INDEX = "https://{}.{}/simple".format("pypi", "org")
JSON_API = "application/vnd.pypi.simple.v1+json"
LINKS = "text/html;q=0.1"


def main(venv: str, requirements: str) -> None:
    """Leave a working uv at VENV/bin/uv or VENV/bootstrap/uv."""
    version, digests = pinned(Path(requirements).read_text("utf-8"))
    if importlib.util.find_spec("ensurepip") and by_pip(venv, version):
        return
    by_wheel(Path(venv, "bootstrap", "uv"), version, digests)


def pinned(text: str) -> tuple[str, set[str]]:
    """The version of uv that a requirements file pins, and the digests that it allows."""
    entry = re.search(r"^uv==(\S+)((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE)
    if not entry:
        sys.exit("The requirements file pins no uv.")
    return entry[1], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry[2]))


def by_pip(venv: str, version: str) -> bool:
    """Whether an environment with pip could be made, and uv installed by it."""
    made = subprocess.run([sys.executable, "-m", "venv", venv], stdout=subprocess.DEVNULL)
    pip = [str(Path(venv, "bin", "python")), "-m", "pip", "install", "-q", f"uv=={version}"]
    return made.returncode == 0 and subprocess.run(pip).returncode == 0


def by_wheel(place: Path, version: str, digests: set[str]) -> None:
    """Fetch this platform's wheel of ``version`` and unpack its program at ``place``."""
    found = [link for link in links(index()) if suits(link[0], version)]
    if not found:
        sys.exit(f"The package index has no uv {version} for this machine: install uv yourself.")
    name, url, stated = found[0]
    print(f"fetching {name}", file=sys.stderr)
    wheel = fetch(url)[0]
    digest = hashlib.sha256(wheel).hexdigest()
    if digest != stated or digest not in digests:
        sys.exit(f"{name} does not have the digest that the index and the lock file state.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        place.write_bytes(archive.read(f"uv-{version}.data/scripts/uv"))
    place.chmod(0o755)


def index() -> str:
    """The package index that the environment or pip's configuration names, else the usual one."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(variable):
            return os.environ[variable]
    return configured("index-url") or DEFAULT_INDEX


def configured(key: str) -> str | None:
    """What pip's configuration files say of ``key`` (pip's documentation lists the places)."""
    home = Path.home()
    places = [
        os.environ.get("PIP_CONFIG_FILE", os.devnull),
        home / ".config/pip/pip.conf",
        home / ".pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf",
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
    ]
    for place in places:
        parser = configparser.RawConfigParser()
        parser.read(place)
        for section in ("install", "global"):
            if parser.has_option(section, key):
                return parser.get(section, key)
    return None


def links(address: str) -> list[tuple[str, str, str]]:
    """(file name, address, sha256) of every file of uv that the index lists."""
    page = address.rstrip("/") + "/uv/"
    body, kind = fetch(page, accept=f"{JSON_API}, {LINKS}")
    if "json" in kind:
        files = json.loads(body)["files"]
        found = [(file["url"], file["hashes"].get("sha256", "")) for file in files]
    else:
        found = [urllib.parse.urldefrag(link) for link in hrefs(body.decode("utf-8"))]
        found = [(link, fragment.removeprefix("sha256=")) for link, fragment in found]
    whole = [(urllib.parse.urljoin(page, link), digest) for link, digest in found]
    return [(urllib.parse.unquote(url.rpartition("/")[2]), url, digest) for url, digest in whole]


def hrefs(page: str) -> list[str]:
    """The addresses of all links in an HTML page."""
    found: list[str] = []

    class Anchors(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "a":
                found.append(dict(attrs).get("href") or "")

    Anchors().feed(page)
    return found


def suits(name: str, version: str) -> bool:
    """Whether a wheel of this name is uv ``version`` for this system, libc and processor."""
    system = platform.system()
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    family = {"Linux": libc, "Darwin": "macosx"}.get(system, "none")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    pattern = rf"uv-{re.escape(version)}-py3-none-\S*{family}\w*_{re.escape(machine)}\S*\.whl"
    return re.fullmatch(pattern, name) is not None


def fetch(url: str, accept: str = "*/*") -> tuple[bytes, str]:
    """The body behind ``url`` and its content type."""
    certificates = os.environ.get("PIP_CERT") or configured("cert")
    context = ssl.create_default_context(cafile=certificates)
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.read(), answer.headers.get("Content-Type", "")
    except urllib.error.URLError as problem:
        sys.exit(f"The package index did not answer ({problem.reason}): install uv yourself.")


if __name__ == "__main__":
    main(*sys.argv[1:])
