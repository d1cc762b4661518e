"""Names of a run's artifacts, wherever they lie, and fetching them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.runtime.injob.errors import UserErrorException
from scriptrun.tracking import artifacts


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "run"
    for name in (
        "job.json", "metrics/0-1-a.jsonl", "work/train.py", "work/outputs/model.pkl", "work/logs/a/b.txt",
        "user_logs/std_log.txt", "system_logs/launcher.txt", "artifacts/up.bin", "artifacts/outputs",
    ):  # fmt: skip
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    return place


NAMES = [
    "logs/a/b.txt",
    "outputs",
    "outputs/model.pkl",
    "system_logs/launcher.txt",
    "up.bin",
    "user_logs/std_log.txt",
]


def test_names_while_it_lives_and_afterwards(folder):
    assert artifacts.names(folder) == NAMES
    assert (
        artifacts.path_of(folder, "outputs/model.pkl") == folder / "work" / "outputs" / "model.pkl"
    )
    os.rename(folder / "work" / "outputs", folder / "outputs")
    os.rename(folder / "work" / "logs", folder / "logs")
    assert artifacts.names(folder) == NAMES
    assert artifacts.path_of(folder, "outputs/model.pkl") == folder / "outputs" / "model.pkl"


def test_names_of_no_run(tmp_path):
    assert artifacts.names(tmp_path / "nowhere") == []
    assert artifacts.path_of(tmp_path / "nowhere", "outputs/x") is None


@pytest.mark.parametrize(
    "name",
    ["./outputs/model.pkl", "outputs//model.pkl", "outputs/./model.pkl", "outputs/x/../model.pkl"],
)
def test_one_artifact_has_many_spellings(folder, name):
    assert artifacts.path_of(folder, name) == folder / "work" / "outputs" / "model.pkl"


@pytest.mark.parametrize(
    "name",
    [
        "../run/job.json",
        "outputs/../../job.json",
        "/etc/passwd",
        "",
        ".",
        "..",
        "a\0b",
        "outputs/../..",
    ],
)
def test_no_name_leads_out(folder, tmp_path, name):
    for ask in (artifacts.path_of, artifacts.download):
        with pytest.raises(UserErrorException):
            ask(folder, name)
    with pytest.raises(UserErrorException):
        artifacts.store(folder, name, io.BytesIO(b""))


@pytest.mark.parametrize(
    "name",
    [
        "job.json",
        "metrics/0-1-a.jsonl",
        "train.py",
        "work/train.py",
        "artifacts/up.bin",
        "user_logs",
    ],
)
def test_what_is_no_artifact_is_not_found(folder, name):
    assert artifacts.path_of(folder, name) is None
    with pytest.raises(UserErrorException, match=r"Artifacts: logs/a/b\.txt"):
        artifacts.download(folder, name)


def test_links(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big.bin").write_text("big")
    outputs = folder / "work" / "outputs"
    (outputs / "latest.pkl").symlink_to("model.pkl")
    (outputs / "broken").symlink_to("gone")
    (outputs / "folder").symlink_to(tmp_path / "elsewhere")
    assert [name for name in artifacts.names(folder) if name.startswith("outputs/")] == [
        "outputs/latest.pkl", "outputs/model.pkl",
    ]  # fmt: skip
    assert (
        artifacts.download(folder, "outputs/latest.pkl", tmp_path / "here").read_text()
        == "work/outputs/model.pkl"
    )


def test_download_to_a_file_a_folder_or_here(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert artifacts.download(folder, "logs/a/b.txt") == Path("b.txt")
    assert artifacts.download(folder, "logs/a/b.txt", "new/dir/") == Path("new/dir/b.txt")
    assert artifacts.download(folder, "logs/a/b.txt", tmp_path) == tmp_path / "b.txt"
    assert artifacts.download(folder, "logs/a/b.txt", "x/y.txt").read_text() == "work/logs/a/b.txt"


def test_download_all_keeps_paths(folder, tmp_path):
    to = tmp_path / "to"
    (folder / "artifacts" / "outputs").unlink()  # a file cannot lie where a folder must
    assert len(artifacts.download_all(folder, None, to)) == len(NAMES) - 1
    assert (to / "logs" / "a" / "b.txt").read_text() == "work/logs/a/b.txt"


@pytest.mark.parametrize(
    ("prefix", "kept", "bare"),
    [("logs", "logs/a/b.txt", "a/b.txt"), ("logs/", "logs/a/b.txt", "a/b.txt"), ("./logs/a", "logs/a/b.txt", "b.txt"),
     ("logs/a/b.txt", "logs/a/b.txt", "b.txt"), ("log", "logs/a/b.txt", "logs/a/b.txt"), ("logs/a/b", "logs/a/b.txt", "b.txt")],
)  # fmt: skip
def test_prefixes(folder, tmp_path, prefix, kept, bare):
    to = tmp_path / "to"
    assert artifacts.download_all(folder, prefix, to) == [to / kept]
    assert artifacts.download_all(folder, prefix, to, append_prefix=False) == [to / bare]


def test_output_paths(folder, tmp_path):
    found = artifacts.download_all(folder, "logs", tmp_path, ["one.txt"])
    assert found == [tmp_path / "one.txt"] and found[0].read_text() == "work/logs/a/b.txt"
    with pytest.raises(UserErrorException, match="2 output paths for 1 artifacts"):
        artifacts.download_all(folder, "logs", tmp_path, ["one.txt", "two.txt"])


def test_a_long_name_and_a_failing_stream(folder):
    name = "ü" * 127
    assert artifacts.store(folder, name, io.StringIO("text")) == name
    assert artifacts.path_of(folder, name).read_text() == "text"

    class Failing:
        def __init__(self):
            self.left = [b"some"]

        def read(self, size):
            if self.left:
                return self.left.pop()
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        artifacts.store(folder, "up.bin", Failing())
    assert artifacts.path_of(folder, "up.bin").read_text() == "artifacts/up.bin"
    assert artifacts.names(folder) == sorted([*NAMES, name])


def test_what_cannot_be_stored_is_a_sentence(folder, tmp_path):
    with pytest.raises(UserErrorException, match="Use upload_folder"):
        artifacts.store(folder, "x", tmp_path)
    with pytest.raises(UserErrorException, match="does not exist"):
        artifacts.store(folder, "x", tmp_path / "nothing")
    with pytest.raises(UserErrorException, match="is not a folder"):
        artifacts.store_folder(folder, "x", tmp_path / "nothing")


def test_storing_where_the_run_has_ended(folder):
    os.rename(folder / "work" / "outputs", folder / "outputs")
    (folder / "work").rename(folder.parent / "gone")
    artifacts.store(folder, "outputs/late/x.txt", io.BytesIO(b"late"))
    assert (folder / "outputs" / "late" / "x.txt").read_bytes() == b"late"


component = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: text not in (".", ".."))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(component, min_size=1, max_size=4))
def test_any_name_is_stored_listed_and_fetched(tmp_path_factory, parts):
    name, run = "/".join(parts), tmp_path_factory.mktemp("run")
    artifacts.store(run, name, io.BytesIO(name.encode()))
    assert artifacts.names(run) == [name]
    assert artifacts.download(run, name, run / "copy").read_bytes() == name.encode()
    assert artifacts.path_of(run, name).read_bytes() == name.encode()
