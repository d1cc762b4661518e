"""A registered dataset whose files got another time, but not another content, is unchanged."""

from __future__ import annotations

import io
import os

import pytest

from scriptrun import Dataset
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.stores import same_content
from scriptrun.data.stores.local import LocalStore, digest_in
from scriptrun.data.stores.protocol import is_unchanged


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "x.csv").write_text("a\n1\n")
    return folder


def test_identical_bytes_uploaded_again_change_nothing(workspace, local_store, source, tmp_path):
    def upload():
        local_store.upload(source, "t", overwrite=True, show_progress=False)

    upload()
    table = Dataset.Tabular.from_delimited_files((local_store, "t")).register(workspace, "table")
    files = Dataset.File.from_files((local_store, "t")).register(workspace, "files")
    os.utime(source / "x.csv", (1, 1))
    upload()
    assert table.to_arrow().num_rows == 1
    assert len(files.download(tmp_path / "got")) == 1
    again = Dataset.File.from_files((local_store, "t"))
    assert again.register(workspace, "files", create_new_version=True).version == 1


def test_identical_bytes_uploaded_again_change_nothing_in_any_store(
    workspace, datastore, source, tmp_path
):
    (source / "deep").mkdir()
    (source / "deep" / "y.csv").write_text("a\n2\n")
    (source / "empty.csv").write_text("")

    def upload():
        return Dataset.File.upload_directory(
            source, (datastore, "t"), overwrite=True, show_progress=False
        )

    files = upload().register(workspace, "files")
    table = Dataset.Tabular.from_delimited_files((datastore, "t")).register(workspace, "table")
    etags = [row.etag for row in upload()._content.rows()]
    assert [row.etag for row in upload()._content.rows()] == etags
    assert table.to_arrow()["a"].to_pylist() == [2, 1]
    assert len(files.download(tmp_path / "got")) == 3
    assert upload().register(workspace, "files", create_new_version=True).version == 1
    (source / "x.csv").write_text("a\n3\n")  # as long as before
    assert upload().register(workspace, "files", create_new_version=True).version == 2
    fresh = Dataset.Tabular.from_delimited_files((datastore, "t"))
    assert fresh.to_arrow()["a"].to_pylist() == [2, 3]
    with pytest.raises(DatasetExecutionError, match="has changed"):
        table.to_arrow()


class Remote(LocalStore):
    """A store whose files are elsewhere."""

    folder = None


def test_what_a_store_has_is_compared_by_content(tmp_path, monkeypatch):
    store = Remote("far", tmp_path)
    (tmp_path / "x").write_bytes(b"1" * 10)

    def stored(data, path="x"):
        return same_content.stored_entry(store, path, io.BytesIO(data))

    assert stored(b"1" * 10) == store.stat("x")
    assert stored(b"1" * 9 + b"2") is None and stored(b"1") is None and stored(b"", "y") is None
    file = io.BytesIO(b"ab" + b"1" * 10)
    file.seek(2)
    assert same_content.stored_entry(store, "x", file) and file.tell() == 2
    monkeypatch.setattr(same_content, "LARGEST_COMPARED", 9)
    assert stored(b"1" * 10) is None


def test_another_time_is_no_other_content(workspace, local_store, fill, tmp_path):
    fill(local_store.store, {"t/x.csv": "a\n1\n"})
    path = local_store.store.folder / "t/x.csv"
    table = Dataset.Tabular.from_delimited_files((local_store, "t")).register(workspace, "table")
    files = Dataset.File.from_files((local_store, "t")).register(workspace, "files")
    os.utime(path, (5, 5))
    assert table.to_arrow().num_rows == 1
    assert len(files.download(tmp_path / "got")) == 1
    again = Dataset.File.from_files((local_store, "t"))
    assert again.register(workspace, "files", create_new_version=True).version == 1
    path.write_text("a\n2\n")  # as long as before
    with pytest.raises(DatasetExecutionError, match="has changed"):
        table.to_arrow()
    with pytest.raises(DatasetExecutionError, match="has changed"):
        files.download(tmp_path / "other")
    assert again.register(workspace, "files", create_new_version=True).version == 2


def test_an_etag_with_a_digest_outlives_a_time(tmp_path):
    store = LocalStore("here", tmp_path)
    (tmp_path / "x").write_bytes(b"1")
    entry = store.stat("x")
    etag = store.etag_with_digest(entry)
    assert len(digest_in(etag)) == 32 and not digest_in(entry.etag)
    os.utime(tmp_path / "x", (7, 7))
    now = store.stat("x")
    assert is_unchanged(store, now, etag) and not is_unchanged(store, now, entry.etag)
    assert store.read("x", 0, 1, etag) == b"1"
    (tmp_path / "x").write_bytes(b"2")
    assert not is_unchanged(store, store.stat("x"), etag)
