"""A workspace, files to put into it, and the real storage servers."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from scriptrun import Datastore, Workspace
from scriptrun.testing.jobs import PATIENCE

sys.path.insert(0, str(Path(__file__).parent))
import servers


@pytest.fixture(autouse=True)
def own_secrets(tmp_path, monkeypatch):
    """Secrets below the test's folder, and none from the environment; stores may be slow."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", str(PATIENCE))
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


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    """The address of a running Azurite."""
    with servers.azurite(tmp_path_factory.mktemp("azurite")) as address:
        yield address


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """The address of a running S3 server, with one bucket, ``shared``."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "shared").mkdir()
    with servers.s3(folder) as address:
        yield address


@pytest.fixture(scope="session")
def ceph(tmp_path_factory):
    """The address of a real Ceph gateway, with one bucket, ``shared``."""
    with servers.ceph(tmp_path_factory.mktemp("ceph")) as address:
        yield address


@pytest.fixture
def ceph_store(workspace, ceph, monkeypatch):
    """A datastore below a fresh prefix of Ceph's bucket."""
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", servers.S3_KEYS)
    return Datastore.register_s3(
        workspace, "ceph", "shared", endpoint=ceph, root=uuid.uuid4().hex, secret="mine"
    )


@pytest.fixture(scope="session")
def sftp(tmp_path_factory):
    """The port of a real sshd, and the key's file."""
    with servers.sftp(tmp_path_factory.mktemp("sftp")) as found:
        yield found


@pytest.fixture
def sftp_store(workspace, sftp, tmp_path, monkeypatch):
    """A datastore through fsspec and paramiko, on a real sshd."""
    port, key = sftp
    pytest.importorskip("paramiko")
    monkeypatch.setenv("SCRIPTRUN_SECRET_KEY", str(key))
    (tmp_path / "far").mkdir()
    return Datastore.register_fsspec(
        workspace,
        "far",
        "sftp",
        str(tmp_path / "far"),
        options={"host": "127.0.0.1", "port": port},
        secret="key",
        credential="key_filename",
    )


@pytest.fixture
def web():
    """A running HTTP server (``servers.Web``)."""
    with servers.web() as state:
        yield state


@pytest.fixture
def blob_store(workspace, azurite):
    """A datastore on a fresh container of Azurite."""
    container = f"c{uuid.uuid4().hex[:12]}"
    servers.make_container(azurite, container)
    return Datastore.register_azure_blob_container(
        workspace,
        "blob",
        container,
        servers.ACCOUNT,
        account_key=servers.ACCOUNT_KEY,
        endpoint=azurite,
    )


@pytest.fixture
def s3_store(workspace, s3, monkeypatch):
    """A datastore below a fresh prefix of the S3 server's bucket."""
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", servers.S3_KEYS)
    return Datastore.register_s3(
        workspace, "bucket", "shared", endpoint=s3, root=uuid.uuid4().hex, secret="mine"
    )


@pytest.fixture
def local_store(workspace):
    """The workspace's default datastore."""
    return workspace.get_default_datastore()


@pytest.fixture
def foreign_store(workspace, tmp_path):
    """A datastore through fsspec: its driver for local files."""
    (tmp_path / "foreign").mkdir()
    return Datastore.register_fsspec(workspace, "foreign", "file", str(tmp_path / "foreign"))


@pytest.fixture(
    params=[
        "local_store",
        "foreign_store",
        pytest.param("blob_store", marks=pytest.mark.stores),
        pytest.param("s3_store", marks=pytest.mark.stores),
    ]
)
def datastore(request):
    """Each kind of datastore that can be written."""
    return request.getfixturevalue(request.param)
