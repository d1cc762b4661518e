"""Links in what a script leaves: the content stays when the working directory goes."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from scriptrun.runtime import events
from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.launcher import collect, output_links
from scriptrun.runtime.multinode import gather


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    collect.make_artifact_folders(str(folder / "work"))
    return folder


@pytest.fixture
def work(run):
    return run / "work"


def end(run, nodes=1, **environ):
    """End the run as its launchers do; return its artifacts and its warnings."""
    log = events.EventWriter(str(run), "node-0")
    for node in range(nodes):
        output_links.keep_content(str(run), node, nodes, log, environ)
    collect.collect(str(run))
    if nodes > 1:
        gather.gather(str(run), log)
    contents = {
        name: Path(artifacts.path_of(str(run), name)).read_text()
        for name in artifacts.names(str(run))
    }
    warnings = [each["message"] for each in events.read_all(run) if each["kind"] == "warning"]
    return contents, "\n".join(warnings)


def test_a_link_to_a_file_outside_keeps_its_content(run, work, tmp_path):
    (work / "ck").mkdir()
    (work / "ck" / "best.pt").write_text("best")
    (tmp_path / "elsewhere").write_text("far")
    (work / "outputs" / "best.pt").symlink_to("../ck/best.pt")
    (work / "outputs" / "far").symlink_to(tmp_path / "elsewhere")
    (work / "logs" / "best").symlink_to("../outputs/best.pt")
    contents, warnings = end(run)
    assert contents == {"outputs/best.pt": "best", "outputs/far": "far", "logs/best": "best"}
    assert not warnings
    (run / "outputs" / "far").write_text("changed")
    assert (tmp_path / "elsewhere").read_text() == "far"


def test_a_link_to_a_folder_outside_is_followed_once(run, work):
    (work / "ck" / "deep").mkdir(parents=True)
    (work / "ck" / "deep" / "a").write_text("1")
    (work / "ck" / "deep" / "up").symlink_to("..")
    (work / "ck" / "home").symlink_to("..")
    (work / "outputs" / "ck").symlink_to(work / "ck")
    contents, warnings = end(run)
    assert contents == {"outputs/ck/deep/a": "1"}
    assert warnings.endswith("outputs/ck/home (it leads to a folder that contains it)")


@pytest.mark.parametrize("is_absolute", [False, True], ids=["relative", "absolute"])
def test_a_link_within_outputs_stays_a_relative_link(run, work, is_absolute, tmp_path):
    (work / "outputs" / "v1").mkdir()
    (work / "outputs" / "v1" / "m").write_text("1")
    (work / "outputs" / "latest").symlink_to(work / "outputs" / "v1" if is_absolute else "v1")
    (work / "outputs" / "v1" / "again").symlink_to("..")
    contents, warnings = end(run)
    assert contents == {"outputs/v1/m": "1", "outputs/latest/m": "1"}
    assert os.readlink(run / "outputs" / "latest") == "v1"
    assert not warnings
    artifacts.fetch_all(str(run), "outputs/latest", tmp_path / "copy")
    assert (tmp_path / "copy" / "outputs" / "latest" / "m").read_text() == "1"


def test_what_cannot_be_kept_is_named(run, work):
    outputs = work / "outputs"
    (outputs / "gone").symlink_to("nowhere")
    (outputs / "loop").symlink_to("loop")
    (outputs / "null").symlink_to("/dev/null")
    (outputs / "up").symlink_to("..")
    os.mkfifo(outputs / "pipe")
    here = os.getcwd()
    os.chdir(outputs)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind("door")
    finally:
        os.chdir(here)
    contents, warnings = end(run)
    assert not contents
    assert not (run / "outputs").exists()
    for name, reason in {
        "gone": "its target nowhere does not exist",
        "loop": "it is a loop of links",
        "null": "it is a device",
        "pipe": "it is a named pipe",
        "door": "it is a socket",
        "up": "it leads to a folder that contains it",
    }.items():
        assert f"outputs/{name} ({reason})" in warnings


def test_links_into_the_systems_folders_are_not_followed(run, work):
    for name in ("dev", "proc", "sys"):
        (work / "outputs" / name).symlink_to(f"/{name}")
    (work / "ck").mkdir()
    (work / "ck" / "dev").symlink_to("/dev")
    (work / "ck" / "m").write_text("1")
    (work / "outputs" / "ck").symlink_to("../ck")
    contents, warnings = end(run)
    assert contents == {"outputs/ck/m": "1"}
    for name in ("dev", "proc", "sys", "ck/dev"):
        assert f"outputs/{name} (it leads to /{name.split('/')[-1]}, which belongs" in warnings


def test_links_in_a_circle_are_named_each_as_that(run, work):
    (work / "outputs" / "a").symlink_to("b")
    (work / "outputs" / "b").symlink_to("a")
    _, warnings = end(run)
    assert warnings.count("it is a loop of links") == 2
    assert not (run / "outputs").exists()


def test_a_name_with_a_newline_leaves_the_warning_on_one_line(run, work):
    (work / "outputs" / "a\nb\x1b[31m").symlink_to("nowhere")
    _, warnings = end(run)
    assert "outputs/a\\nb\\x1b[31m (its target nowhere does not exist)" in warnings


@pytest.fixture
def large(tmp_path):
    """A folder outside, of a small file and one that is larger than the limit of 1 kB."""
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "b").write_text("1" * 2000)
    (tmp_path / "large" / "a").write_text("small")
    return tmp_path / "large"


def test_links_to_more_than_may_be_copied_stay_and_are_named(run, work, large):
    outputs = work / "outputs"
    (outputs / "data").symlink_to(os.path.relpath(large, outputs))
    (outputs / "file").symlink_to(large / "b")
    (outputs / "small").symlink_to(large / "a")
    contents, warnings = end(run, SCRIPTRUN_LINKED_SIZE="1kB")
    assert sorted(contents) == ["outputs/file", "outputs/small"]
    assert os.readlink(run / "outputs" / "data") == str(large)
    assert not (run / "outputs" / "small").is_symlink()
    reason = "larger than the 1.0 kB left of SCRIPTRUN_LINKED_SIZE"
    assert f"outputs/data (it leads to {large}, {reason})" in warnings
    assert "outputs/small" not in warnings


def test_what_the_script_wrote_has_no_limit(run, work, large):
    (work / "ck").mkdir()
    (work / "ck" / "own").write_text("1" * 3000)
    (work / "ck" / "large").symlink_to(large)
    (work / "outputs" / "ck").symlink_to("../ck")
    contents, warnings = end(run, SCRIPTRUN_LINKED_SIZE="1kB")
    assert sorted(contents) == ["outputs/ck/large/a", "outputs/ck/own"]
    assert f"outputs/ck/large/b (it leads to {large / 'b'}, larger than" in warnings


def test_outputs_that_became_a_link_to_much_keep_what_may_be_copied(run, work, large):
    (work / "outputs").rmdir()
    (work / "outputs").symlink_to(large)
    contents, warnings = end(run, SCRIPTRUN_LINKED_SIZE="1kB")
    assert contents["outputs/a"] == "small"
    assert not (run / "outputs").is_symlink()
    assert (run / "outputs" / "b").is_symlink()
    assert "outputs/b (it leads to" in warnings


def test_the_jobs_own_variable_says_how_much_is_copied(run, work, large):
    (work / "outputs" / "b").symlink_to(large / "b")
    (run / "job.json").write_text(json.dumps({"variables": {"SCRIPTRUN_LINKED_SIZE": "1MB"}}))
    _, warnings = end(run, SCRIPTRUN_LINKED_SIZE="1kB")
    assert not warnings
    assert not (run / "outputs" / "b").is_symlink()


def test_a_limit_that_is_no_size_is_named(run, work):
    _, warnings = end(run, SCRIPTRUN_LINKED_SIZE="lots")
    assert warnings == "SCRIPTRUN_LINKED_SIZE='lots' is not a size, e.g. 50GB or 200GiB"


def test_what_a_link_leads_to_is_listed_and_found_while_the_run_is_active(run, work, tmp_path):
    for folder in (work / "ck", tmp_path / "far"):
        folder.mkdir()
        (folder / "m").write_text("1")
    (work / "outputs" / "ck").symlink_to("../ck")
    (work / "outputs" / "far").symlink_to(tmp_path / "far")
    assert artifacts.names(str(run)) == ["outputs/ck/m"]
    assert artifacts.names_below(str(run), "./outputs/far") == ["outputs/far/m"]


def test_the_names_in_a_warning_are_ten_at_most(run, work):
    for number in range(25):
        (work / "outputs" / f"gone{number:02}").symlink_to("nowhere")
    _, warnings = end(run)
    assert warnings.count("gone") == 10
    assert warnings.endswith("and 15 more")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_forbids_reading_is_kept_and_named(run, work):
    (work / "outputs" / "mine").write_text("1")
    (work / "outputs" / "mine").chmod(0)
    log = events.EventWriter(str(run), "node-0")
    output_links.keep_content(str(run), log=log)
    (warning,) = events.read_all(run)
    assert "outputs/mine (its permissions forbid reading it)" in warning["message"]
    assert (work / "outputs" / "mine").exists()


def test_outputs_that_became_a_link_or_a_file_are_kept(run, work, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a").write_text("1")
    (work / "outputs").rmdir()
    (work / "outputs").symlink_to(tmp_path / "disk")
    (work / "logs").rmdir()
    (work / "logs").write_text("a file")
    contents, warnings = end(run)
    assert contents == {"outputs/a": "1", "logs/logs": "a file"}
    assert not warnings
    assert not (run / "outputs").is_symlink()
    assert (tmp_path / "disk" / "a").read_text() == "1"


def test_outputs_that_became_a_dangling_link_are_named(run, work):
    (work / "outputs").rmdir()
    (work / "outputs").symlink_to("nowhere")
    (work / "logs").rmdir()
    os.mkfifo(work / "logs")
    contents, warnings = end(run)
    assert not contents
    assert "outputs (its target nowhere does not exist), logs (it is a named pipe)" in warnings


def test_where_data_was_delivered_is_not_copied(run, work, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "large").write_text("1")
    link = work / "outputs" / "in"
    link.symlink_to(tmp_path / "data")
    (run / "attempts" / "1").mkdir(parents=True)
    provided = {"in": {"path": str(link), "value": str(link)}}
    (run / "attempts" / "1" / "node-0.data.json").write_text(json.dumps(provided))
    contents, warnings = end(run)
    assert (contents, warnings) == ({}, "")
    assert (tmp_path / "data" / "large").read_text() == "1"


def test_nodes_keep_what_their_links_lead_to(run, work):
    other = run / "work-node-1"
    for node, folder in enumerate((work, other)):
        (folder / "outputs" / "v1").mkdir(parents=True)
        (folder / "outputs" / "v1" / "m").write_text(f"of {node}")
        (folder / "outputs" / "latest").symlink_to("v1")
        (folder / "same").write_text("both")
        (folder / "outputs" / "same").symlink_to("../same")
    (other / "outputs" / "gone").symlink_to("nowhere")
    contents, warnings = end(run, nodes=2)
    assert contents == {
        "outputs/latest/m": "of 0",
        "outputs/node-1/latest/m": "of 1",
        "outputs/node-1/v1/m": "of 1",
        "outputs/same": "both",
        "outputs/v1/m": "of 0",
    }
    assert "outputs/gone (its target nowhere does not exist)" in warnings


def test_a_link_in_place_of_outputs_in_the_source_is_not_shared(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "outputs").symlink_to(tmp_path / "disk")
    collect.make_artifact_folders(str(tmp_path / "work"))
    assert not (tmp_path / "work" / "outputs").is_symlink()
    assert (tmp_path / "disk").is_dir()
