"""Inputs that lie here, and outputs that go to a folder's datastore, without a job around them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scriptrun.core.workspace import Workspace
from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores.local import LocalStore
from scriptrun.delivery import inputs, outputs
from scriptrun.delivery.log import DataLog
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobData, JobOutput
from scriptrun.tracking import events

STORE = "workspaceblobstore"


@pytest.fixture
def home(tmp_path):
    return Workspace.create("w", path=tmp_path / "home")


@pytest.fixture
def telling(tmp_path):
    (tmp_path / "run" / "events").mkdir(parents=True)
    return DataLog(tmp_path / "run", 0)


def _told(tmp_path, kind):
    return [each for each in events.read(tmp_path / "run") if each["kind"] == kind]


def test_what_is_told_goes_to_the_log_and_what_counts_to_the_record(tmp_path, telling, capfd):
    telling.line("only \udcff the log")
    telling.note("worth a word")
    telling.warn("look into it")
    telling.data(input="x", bytes=3)
    DataLog(tmp_path / "run", 2).line("elsewhere")
    log = os.fsencode(capfd.readouterr().err).decode("utf-8", "replace")
    assert [line.partition(" ")[2][:9] for line in log.splitlines()][1:3] == [
        "worth a w",
        "warning: ",
    ]
    assert "node 2: elsewhere" in log
    assert [each["message"] for each in _told(tmp_path, "note")] == ["worth a word"]
    assert [each["message"] for each in _told(tmp_path, "warning")] == ["look into it"]
    assert _told(tmp_path, "data")[0]["bytes"] == 3


def _job(**data):
    return JobSpec("run_1", "e", "w", "2024-05-01T10:00:00Z", data=JobData.from_dict(data))


def _output(tmp_path, telling, path="goal", **more):
    wanted = {"name": "out", "mode": "upload", "overwrite": False, "datastore": STORE, **more}
    (tmp_path / "place").mkdir(exist_ok=True)
    store = LocalStore("there", tmp_path / "there")
    return outputs.Output(
        JobOutput.from_dict(wanted), store, path, tmp_path / "place", False, telling
    )


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_are_uploaded_with_their_folders(tmp_path, telling):
    output = _output(tmp_path, telling)
    (tmp_path / "place" / "sub").mkdir()
    (tmp_path / "place" / "sub" / "ä b").write_text("1")
    (tmp_path / "place" / "a").write_text("2")
    output.send()
    assert _files(tmp_path / "there") == {"goal/a": "2", "goal/sub/ä b": "1"}
    (fact,) = _told(tmp_path, "data")
    assert (fact["output"], fact["files"], fact["bytes"]) == ("out", 2, 2)


def test_what_changed_and_what_went_since_is_sent_again_and_deleted(tmp_path, telling):
    output = _output(tmp_path, telling, overwrite=True)
    for name in "abc":
        (tmp_path / "place" / name).write_text(name)
    output.send()
    (tmp_path / "place" / "a").unlink()
    (tmp_path / "place" / "b").write_text("longer")
    output.send()
    assert _files(tmp_path / "there") == {"goal/b": "longer", "goal/c": "c"}


def test_only_what_the_patterns_fit_is_sent(tmp_path, telling):
    output = _output(tmp_path, telling, path="", source_globs=["*.txt", "keep/**"])
    (tmp_path / "place" / "keep").mkdir()
    for name in ("a.txt", "b.log", "keep/c.log"):
        (tmp_path / "place" / name).write_text(name)
    output.send()
    assert set(_files(tmp_path / "there")) == {"a.txt", "keep/c.log"}


@pytest.mark.parametrize(
    ("more", "again", "refused"),
    [
        ({}, False, True),
        ({"overwrite": True}, False, False),
        ({"mode": "mount"}, False, False),
        ({}, True, False),
    ],
)
def test_what_is_there_already_is_written_over_only_where_that_is_meant(
    tmp_path, telling, more, again, refused
):
    (tmp_path / "there" / "goal").mkdir(parents=True)
    (tmp_path / "there" / "goal" / "a").write_text("old")
    output = _output(tmp_path, telling, **more)
    output.is_retry = again
    (tmp_path / "place" / "a").write_text("new")
    if refused:
        with pytest.raises(UserErrorException, match="goal/a"):
            output.send()
    else:
        output.send()
    assert _files(tmp_path / "there") == {"goal/a": "old" if refused else "new"}


def test_a_folder_that_the_job_took_away_is_an_output_of_nothing(tmp_path, telling):
    output = _output(tmp_path, telling)
    (tmp_path / "place").rmdir()
    output.send()
    assert _told(tmp_path, "data")[0]["files"] == 0


def test_links_that_lead_nowhere_or_up_cost_no_other_file(tmp_path, telling):
    output = _output(tmp_path, telling)
    (tmp_path / "place" / "a").write_text("1")
    for name, target in {"loop": "loop", "gone": "nowhere", "dev": "/dev", "up": ".."}.items():
        (tmp_path / "place" / name).symlink_to(target)
    output.send()
    assert _files(tmp_path / "there") == {"goal/a": "1"}
    (warning,) = _told(tmp_path, "warning")
    for reason in ("loop of links", "does not exist", "the system", "contains it"):
        assert reason in warning["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_forbids_reading_is_not_thrown_away(tmp_path, telling, kind):
    output = _output(tmp_path, telling)
    closed = tmp_path / "place" / "closed"
    closed.mkdir() if kind == "folder" else closed.write_text("1")
    closed.chmod(0)
    with pytest.raises(DatastoreException, match=r"Cannot read .*closed"):
        output.send()
    closed.chmod(0o700)


def _sending(home, tmp_path, telling, attempt=1, nodes=1, **wanted):
    words = {
        "name": "out",
        "mode": "upload",
        "overwrite": False,
        "datastore": STORE,
        "path": "to/{run-id}",
    }
    order = {
        "folder": str(tmp_path / "run"),
        "work": str(tmp_path / "work"),
        "attempt": attempt,
        "node": 0,
        "nodes": nodes,
    }
    job = _job(outputs=[{**words, **wanted}])
    return outputs.OutputDelivery(home, job, order, telling)


def _stored(home) -> dict[str, str]:
    return _files(home.get_default_datastore().store.folder)


def test_a_job_is_handed_a_folder_whose_files_are_sent_and_registered(home, tmp_path, telling):
    sending = _sending(home, tmp_path, telling, registration={"name": "made", "tags": {"a": "1"}})
    sending.prepare()
    place = Path(sending.ready["out"]["value"])
    (place / "x").write_text("1")
    sending.send("Completed")
    sending.close()
    assert _stored(home) == {"to/run_1/x": "1"}
    assert home.datasets["made"].tags == {"a": "1"}
    assert not place.exists(), "what was sent is not kept twice"


@pytest.mark.parametrize(("state", "nodes"), [("Failed", 1), ("Completed", 2)])
def test_a_run_that_failed_or_has_other_nodes_registers_nothing_yet(
    home, tmp_path, telling, state, nodes
):
    sending = _sending(home, tmp_path, telling, nodes=nodes, registration={"name": "made"})
    sending.prepare()
    (Path(sending.ready["out"]["value"]) / "x").write_text("1")
    sending.send(state)
    assert list(_stored(home)) == ["to/run_1/x"]
    assert "made" not in home.datasets
    sending.register()
    assert "made" in home.datasets


def test_a_mounted_output_of_a_local_datastore_is_the_folder_itself(home, tmp_path, telling):
    sending = _sending(home, tmp_path, telling, mode="mount", path="direct")
    sending.prepare()
    place = Path(sending.ready["out"]["value"])
    (place / "x").write_text("1")
    assert _stored(home) == {"direct/x": "1"}
    sending.send("Completed")
    assert _stored(home) == {"direct/x": "1"}


def test_a_folder_of_the_jobs_own_is_sent_and_kept_where_that_fails(
    home, tmp_path, telling, monkeypatch
):
    monkeypatch.setenv("WHERE", "results")
    sending = _sending(home, tmp_path, telling, source="$WHERE/deep", path="p")
    sending.prepare()
    place = tmp_path / "work" / "results" / "deep"
    assert sending.ready["out"]["path"] == str(place)
    (place / "x").write_text("new")
    there = home.get_default_datastore().store.folder / "p"
    there.mkdir(parents=True)
    (there / "x").write_text("old")
    with pytest.raises(UserErrorException, match="'out'") as caught:
        sending.send("Completed")
    kept = tmp_path / "run" / "data" / "1-0" / "out" / "x"
    assert kept.read_text() == "new"
    assert str(kept.parent) in str(caught.value)
    assert _stored(home) == {"p/x": "old"}


def _bringing(home, tmp_path, telling, *wanted):
    order = {"work": str(tmp_path / "work"), "attempt": 1, "node": 0}
    job = _job(inputs=list(wanted))
    return inputs.InputDelivery(home, job, order, telling)


def _wanted(name="in", path="data", **more):
    return {
        "name": name,
        "kind": "datapath",
        "mode": "mount",
        "variables": [],
        "datastore": STORE,
        "path": path,
        **more,
    }


def test_a_path_of_a_local_datastore_is_handed_over_as_a_link(home, tmp_path, telling):
    bringing = _bringing(
        home, tmp_path, telling, _wanted(), _wanted("rel", path_on_compute="in/here")
    )
    bringing.deliver()
    place = Path(bringing.delivered["in"]["value"])
    (place / "x").write_text("1")
    assert _stored(home) == {"data/x": "1"}, "the job may write there"
    assert bringing.delivered["rel"]["path"] == str(tmp_path / "work" / "in" / "here")
    assert (tmp_path / "work" / "in" / "here" / "x").read_text() == "1"
    there = str(home.get_default_datastore().store.folder / "data")
    assert (there, there, True) in bringing.binds
    assert bringing.close() == []
    assert not place.exists()
    assert _stored(home) == {"data/x": "1"}, "what was linked stays"


@pytest.mark.parametrize("before", ["nothing", "empty", "same link"])
def test_an_absolute_place_is_made_a_link(home, tmp_path, telling, before, monkeypatch):
    monkeypatch.setenv("BASE", str(tmp_path))
    asked = tmp_path / "asked" / "for"
    asked.parent.mkdir()
    if before == "empty":
        asked.mkdir()
    if before == "same link":
        asked.symlink_to(home.get_default_datastore().store.folder / "data")
    bringing = _bringing(home, tmp_path, telling, _wanted(path_on_compute="$BASE/asked/for"))
    bringing.deliver()
    assert bringing.delivered["in"]["value"] == str(asked)
    assert asked.resolve() == home.get_default_datastore().store.folder / "data"
    bringing.close()


def test_a_place_that_holds_something_stays_as_it_is(home, tmp_path, telling):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("1")
    bringing = _bringing(home, tmp_path, telling, _wanted(path_on_compute=str(tmp_path / "mine")))
    with pytest.raises(UserErrorException, match="'in'") as caught:
        bringing.deliver()
    assert str(tmp_path / "mine") in str(caught.value)
    bringing.close()
    assert (tmp_path / "mine" / "x").read_text() == "1"
