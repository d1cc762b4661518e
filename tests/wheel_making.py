"""Making tiny wheels, so that uv has something real to resolve and install without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "indigo"
version = "7"
"""
#: a build backend of its own, so that nothing has to be installed to build it
BACKEND = """\
import zipfile


def build_wheel(place, settings=None, metadata=None):
    name = "indigo-7-py3-none-any.whl"
    files = {
        "indigo.py": open("indigo.py").read(),
        "indigo-7.dist-info/METADATA": "Metadata-Version: 2.1\\nName: indigo\\nVersion: 7\\n",
        "indigo-7.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{path},,\\n" for path in [*files, "indigo-7.dist-info/RECORD"])
    with zipfile.ZipFile(f"{place}/{name}", "w") as archive:
        for path, text in {**files, "indigo-7.dist-info/RECORD": record}.items():
            archive.writestr(path, text)
    return name
"""
INDIGO = {"indigo.py": "VERSION = '7'\n", "backend.py": BACKEND, "pyproject.toml": PROJECT}


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    needs: tuple[str, ...] = (),
    tag: str = "py3",
    code: str = "",
) -> Path:
    """A wheel of one module ``name`` that holds its version, for the Python of ``tag``.

    ``code`` is what else the module holds.
    """
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
    wheel = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}-none-any\n"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n{code}",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": wheel,
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(file, text)
    return path


def make_source(folder: Path, name: str = "indigo", *, builds: bool = True) -> Path:
    """The source distribution of version 7 of the package ``indigo``, or of another name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-7.tar.gz"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 7\n"
    files = {**INDIGO, "PKG-INFO": metadata}
    if not builds:  # nor says its metadata without being asked
        files["backend.py"] = "raise ValueError"
        files["pyproject.toml"] = PROJECT.replace(
            'version = "7"', 'dynamic = ["version", "dependencies"]'
        )
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-7/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def make_repository(place: Path) -> Path:
    """A git repository of the package ``indigo``, whose files a plain web server can serve."""
    place.mkdir(parents=True)
    for name, text in INDIGO.items():
        (place / name).write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["update-server-info"]):
        subprocess.run([*git, *words], cwd=place, check=True)
    return place


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
