"""What a job needs elsewhere: it is all there, it is whole, and its launcher is told where."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from scriptrun import Datastore, ScriptRunConfig, Workspace
from scriptrun.core.dataset import Dataset
from scriptrun.data.datasets import content
from scriptrun.data.datastores import records as datastore_records
from scriptrun.engines import staging
from scriptrun.engines.base import Order
from scriptrun.preparation import data_bundle
from scriptrun.runtime import workdir
from scriptrun.runtime.foreign_names import ForeignNameRefused
from scriptrun.store import job_runtime
from scriptrun.submission import check, submit
from scriptrun.tracking import run_folder


@pytest.fixture
def staged(tmp_path):
    """A job that is written down, and the order to start it."""
    pytest.importorskip("obstore")
    home = Workspace.create("home", path=tmp_path / "home")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("A")
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text("print('here')\n")
    store = Datastore.register_local(home, "files", tmp_path / "files")
    data = Dataset.File.from_files((store, "a.txt")).as_named_input("given").as_download()
    config = ScriptRunConfig(str(source), "train.py", arguments=[data])
    submission = check.check(config, home, "staged")
    job = submit.complete(submission, home)
    written = submit.create_run(job, home, [])
    order = Order(
        folder=written.folder,
        workspace=home.root,
        store=home.snapshots_folder,
        runtime=job_runtime.install(home.directory),
        python="/usr/bin/python3",
        bin=None,
        prefix=None,
        environ={},
        data=data_bundle.contents(home, job),
    )
    return written.job, order


def packed(parts, known=()):
    stream = io.BytesIO()
    staging.pack(stream, parts, known)
    stream.seek(0)
    return stream


def test_the_root_is_a_workspace_that_has_the_job_and_its_data(staged, tmp_path):
    job, order = staged
    node = tmp_path / "node"
    staging.unpack(packed(staging.parts(job, order)), node)
    launch = staging.launch_order(job, order, node)
    paths = (launch.folder, launch.store, launch.runtime, launch.workspace)
    assert all(path.startswith(str(node)) for path in paths)
    assert run_folder.read_job(Path(launch.folder)) == run_folder.read_job(order.folder)
    workdir.materialise(launch.store, job.snapshot, tmp_path / "work")
    assert (tmp_path / "work" / "train.py").read_text() == "print('here')\n"
    assert (node / ".scriptrun" / "runtime" / order.runtime.name / "scriptrun").is_dir()
    there = Workspace(node)
    assert datastore_records.get(there, "files")["path"] == str(tmp_path / "files")
    (pin,) = job.data.pins
    (each,) = content.from_facts(pin.as_dict(), pin.definition, there).remote_files()
    assert b"".join(each.store.pieces(each.entry.path, each.entry.etag)) == b"A"
    assert (launch.ticket, launch.wake) == (None, None)


def test_the_run_is_complete_when_all_else_is(staged):
    job, order = staged
    names = list(staging.parts(job, order))
    assert names[-1].endswith(f"{job.id}/job.json")


def test_what_the_node_has_is_not_sent_again(staged, tmp_path):
    job, order = staged
    parts = staging.parts(job, order)
    known = {name for name in parts if "/snapshots/" in name or "/runtime/" in name}
    staging.unpack(packed(parts, known), tmp_path / "node")
    sent = {
        path.relative_to(tmp_path / "node").as_posix()
        for path in (tmp_path / "node").rglob("*")
        if path.is_file()
    }
    assert sent == set(parts) - known


def test_a_request_to_cancel_and_the_lock_travel_with_the_job(staged):
    job, order = staged
    for name in ("cancel.json", "environment.lock.json", ".mirror.json"):
        (order.folder / name).write_text("{}")
    names = {name.rpartition("/")[2] for name in staging.parts(job, order)}
    assert {"cancel.json", "environment.lock.json"} <= names
    assert ".mirror.json" not in names


def test_a_name_that_leads_out_is_refused(tmp_path):
    with pytest.raises(ForeignNameRefused, match="names a file"):
        staging.unpack(packed({"../out": b"x"}), tmp_path / "node")
    assert not (tmp_path / "out").exists()
