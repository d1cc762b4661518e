"""Real uv over real wheels, made here: no network, nothing written outside the tests' directories."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from scriptrun.spec.environment import PACKAGES, EnvironmentSpec

PIP_VARIABLES = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT")


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    needs: tuple[str, ...] = (),
    python: str = ">=3.6",
) -> Path:
    """A wheel of one module ``name`` that holds its version."""
    info = f"{name}-{version}.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"
    )
    metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(file, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(autouse=True)
def own_uv(tmp_path_factory, monkeypatch):
    """uv with a cache of its own and nobody's settings."""
    home = tmp_path_factory.mktemp("uv")
    for name in [n for n in os.environ if n.startswith("UV_")] + list(PIP_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def wheels(tmp_path) -> Path:
    """A folder of wheels: red 1.0 and 2.0, blue 1.0 (which needs red), old (for Python < 3.9)."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "red", "1.0")
    make_wheel(folder, "red", "2.0")
    make_wheel(folder, "blue", "1.0", needs=("red<2",))
    make_wheel(folder, "old", "1.0", python="<3.9")
    return folder


@pytest.fixture
def request_of(wheels):
    """Make a request whose packages come from ``wheels`` alone."""

    def make(*lines: str, **fields: object) -> EnvironmentSpec:
        options = ("--no-index", f"--find-links {wheels}")
        return EnvironmentSpec(PACKAGES, pip=lines, pip_options=options, **fields)

    return make


@pytest.fixture
def locks(tmp_path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def said() -> list[str]:
    """What was logged: hand ``said.append`` over."""
    return []
