"""A workspace, files to put into it, and the real storage servers."""

from __future__ import annotations

import pytest

from scriptrun import Workspace


@pytest.fixture(autouse=True)
def own_secrets(tmp_path, monkeypatch):
    """Secrets below the test's folder, and none from the environment."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "5")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "secrets"


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("data", path=tmp_path / "workspace")


@pytest.fixture
def fill():
    """``fill(store, {path: text})`` writes files into a store."""
    import io

    def write(store, files):
        for path, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            store.write(path, io.BytesIO(data))

    return write
