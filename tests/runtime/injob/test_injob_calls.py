"""What a script calls on its run, in this process: names of files, records, children, metrics."""

from __future__ import annotations

import io
import json
import os
import posixpath
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime import events, files, identity
from scriptrun.runtime.injob import (
    artifact_calls,
    artifacts,
    child_runs,
    errors,
    experiment,
    inputs,
    offline,
    proxy_process,
    record,
    record_calls,
    run,
    workspace,
)
from scriptrun.runtime.injob.metrics import calls, flusher, images, mlflow_reader, reader


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs" / "2026-11-24" / "first_1"
    (made / "work" / "outputs").mkdir(parents=True)
    (made / "events").mkdir()
    job = {"id": "first_1", "experiment": "first", "script": "train.py", "tags": {"a": "1"}}
    (made / "job.json").write_text(json.dumps({**job, "created": "2026-11-24T00:00:00"}))
    return made


class Calls(calls.MetricCalls, artifact_calls.ArtifactCalls, record_calls.RecordCalls):
    def __init__(self, folder):
        self.folder, self.id = str(folder), folder.name


@pytest.fixture
def mine(folder):
    return Calls(folder)


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_a_name_leads_nowhere_but_below_the_run(name):
    try:
        plain = artifacts.normalize_name(name)
    except errors.UserErrorException:
        return
    assert artifacts.normalize_name(plain) == plain
    assert not plain.startswith("/") and ".." not in plain.split("/")
    place = posixpath.normpath(artifacts.target_path("/nowhere", name))
    assert place.startswith("/nowhere/")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/x", "a/../../x", "a\0b", None, 3])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(errors.UserErrorException, match="artifact name"):
        artifacts.normalize_name(name)


@given(
    st.lists(st.sampled_from(["outputs", "logs", "user_logs", "a", "b.txt", "é"]), min_size=1),
    st.binary(max_size=50),
)
def test_what_was_kept_is_found_by_its_name(tmp_path_factory, parts, data):
    folder = str(tmp_path_factory.mktemp("run"))
    name = "/".join(parts)
    assert artifacts.store(folder, f"./{name}", io.BytesIO(data)) == name
    assert artifacts.names(folder) == [name]
    with open(artifacts.path_of(folder, name), "rb") as handle:
        assert handle.read() == data


def test_files_are_kept_replaced_and_fetched(mine, folder, tmp_path):
    (tmp_path / "a").write_text("one")
    mine.upload_file("outputs/x", str(tmp_path / "a"))
    assert (folder / "work" / "outputs" / "x").read_text() == "one"
    mine.upload_file("outputs/x", io.StringIO("twö"))
    mine.upload_file("outputs/x", artifacts.path_of(mine.folder, "outputs/x"))
    assert mine.upload_files(["b"], [tmp_path / "a"], return_artifacts=True) == ["b"]
    mine.download_file("outputs/x", str(tmp_path / "new" / "deep"))
    mine.download_file("b", f"{tmp_path}/new/")
    assert (tmp_path / "new/deep").read_bytes() == "twö".encode()
    assert (tmp_path / "new/b").read_text() == "one"
    assert mine.get_file_names() == ["b", "outputs/x"]


def test_a_stream_that_breaks_leaves_what_was_there(mine, folder):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            raise OSError("gone")

    mine.upload_file("x", io.BytesIO(b"old"))
    with pytest.raises(OSError, match="gone"):
        mine.upload_file("x", Breaking())
    assert os.listdir(folder / "artifacts") == ["x"]
    assert (folder / "artifacts/x").read_bytes() == b"old"


def test_what_cannot_be_kept_is_said_with_what_to_do(mine, tmp_path):
    with pytest.raises(errors.UserErrorException, match="does not exist"):
        mine.upload_file("x", str(tmp_path / "none"))
    with pytest.raises(errors.UserErrorException, match="folder") as caught:
        mine.upload_file("x", tmp_path)
    assert "upload_folder" in str(caught.value)
    with pytest.raises(errors.UserErrorException, match="2 names but 1"):
        mine.upload_files(["a", "b"], [str(tmp_path)])
    with pytest.raises(errors.UserErrorException, match="not a folder"):
        mine.upload_folder("x", tmp_path / "none")
    with pytest.raises(errors.UserErrorException, match="no artifact 'x'"):
        mine.download_file("x")


def test_a_folder_is_kept_with_what_its_links_lead_to(mine, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "f").write_text("f")
    (source / "deep" / "up").symlink_to("..")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "g").write_text("g")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "dangling").symlink_to("/none")
    mine.upload_folder("kept", source)
    mine.upload_folder(None, source)
    assert mine.get_file_names() == ["deep/f", "kept/deep/f", "kept/link/g", "link/g"]
    warnings = [each for each in events.read_all(mine.folder) if each["kind"] == "warning"]
    assert "dangling (its target /none does not exist)" in warnings[0]["message"]
    with pytest.raises(errors.UserErrorException, match="/none does not exist"):
        mine.upload_file("x", source / "dangling")


@pytest.mark.parametrize(
    ("prefix", "append", "expected"),
    [
        ("mod", True, ["models/a/x", "models/b"]),
        ("./models", False, ["a/x", "b"]),
        ("models/", False, ["a/x", "b"]),
        ("mod", False, ["models/a/x", "models/b"]),
        ("models/b", False, ["b"]),
        (None, True, ["models/a/x", "models/b", "other"]),
        ("none", True, []),
    ],
)
def test_files_are_fetched_by_the_beginning_of_their_names(
    mine, tmp_path, prefix, append, expected
):
    for name in ("models/a/x", "models/b", "other"):
        mine.upload_file(name, io.StringIO(name))
    goal = tmp_path / "goal"
    mine.download_files(prefix, str(goal), append_prefix=append)
    found = [str(path.relative_to(goal)) for path in goal.rglob("*") if path.is_file()]
    assert sorted(found) == expected


def test_each_file_needs_its_path(mine, tmp_path):
    mine.upload_file("a", io.StringIO("a"))
    with pytest.raises(errors.UserErrorException, match="2 output paths for 1"):
        mine.download_files(output_paths=["x", "y"])
    mine.download_files(output_directory=tmp_path, output_paths=["renamed"])
    assert (tmp_path / "renamed").read_text() == "a"


def test_tags_change_and_properties_do_not(mine):
    mine.tag("b")
    mine.set_tags({"a": 2, 3: True})
    mine.set_tags(["c", "d"])
    mine.remove_tags("c")
    mine.remove_tags(["d", "none"])
    assert mine.tags == {"a": "2", "b": None, "3": "True"}
    mine.add_properties({"p": 1})
    mine.add_properties({"p": "1", "q": None})
    with pytest.raises(errors.UserErrorException, match="Property 'p'"):
        mine.add_properties({"p": 2, "r": 1})
    assert mine.properties == {"p": "1", "q": None}


def test_a_run_may_be_renamed_and_described(mine):
    assert (mine.display_name, mine.description) == ("first_1", None)
    mine.display_name = "a"
    mine.name = "b"
    mine.description = "what it is"
    assert (mine.display_name, mine.description) == ("b", "what it is")
    mine.description = None
    assert mine.description is None


def test_the_state_is_what_the_files_tell(mine, folder):
    assert mine.status == "Running"
    record.write_event(folder, "state", state="Finalizing")
    assert mine.status == "Finalizing"
    for attempt, state in (("2", "Completed"), ("10", "Canceled")):
        place = folder / "attempts" / attempt
        place.mkdir(parents=True)
        (place / "result.json").write_text(json.dumps({"state": state}))
    assert mine.status == "Canceled"
    record.write_event(folder, "fail", message="")
    assert mine.status == "Failed"


def test_what_cannot_be_written_is_said_and_ends_nothing(folder, capsys):
    (folder / "events").rmdir()
    (folder / "events").write_text("a file")
    assert record.write_event(folder, "tag", set={}) is False
    assert "cannot write the run's tag" in capsys.readouterr().err


def test_a_child_has_its_parents_words_and_an_end_of_its_own(folder):
    place = child_runs.begin(str(folder), "first_1", "shown", "child.1")
    job = record.job(place)
    assert (job["parent"], job["root"], job["experiment"]) == ("first_1", "first_1", "first")
    assert (job["display_name"], child_runs.is_started_by_script(place)) == ("shown", True)
    owner = files.read_json(os.path.join(place, "attempts/1/node-0.start.json"))
    assert identity.is_alive(owner) and owner["pid"] == os.getpid()
    grandchild = child_runs.begin(place, "child.1")
    assert record.job(grandchild)["root"] == "first_1"
    assert child_runs.children(str(folder)) == [place]
    assert child_runs.descendants(str(folder)) == [place, grandchild]
    assert child_runs.find(grandchild, "first_1") == str(folder)
    child_runs.end(place, "Completed", "")
    child_runs.end(place, "Failed", "too late")
    assert record.state(place) == "Completed"
    child_runs.cancel(grandchild)
    assert record.state(grandchild) == "Canceled"
    child_runs.end(str(folder), "Completed", "")
    assert not (folder / "attempts").exists()


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "-x", "a" * 201, "a b"])
def test_a_childs_id_is_a_files_name(folder, run_id):
    with pytest.raises(errors.UserErrorException, match="Invalid run ID"):
        child_runs.begin(str(folder), "first_1", run_id=run_id)
    child_runs.begin(str(folder), "first_1", run_id="taken")
    with pytest.raises(errors.UserErrorException, match="already exists"):
        child_runs.begin(str(folder), "first_1", run_id="taken")


def test_a_block_ends_its_run_as_it_ended(folder):
    mine = run.Run(folder)
    children = mine.create_children(tag_key="k", tag_values=[1, 2])
    assert [each.tags for each in mine.get_children()] == [{"k": "1"}, {"k": "2"}]
    with children[0] as first, pytest.raises(SystemExit), children[1] as second:
        second.log("x", 1)
        raise SystemExit(3)
    assert (first.status, second.status) == ("Completed", "Failed")
    assert second.parent == mine and hash(second.parent) == hash(mine)
    assert mine.get_metrics(recursive=True)[second.id] == {"x": 1}
    assert mine.experiment.name == "first"
    with pytest.raises(AttributeError, match="no_such"):
        _ = mine.no_such


def test_without_a_helper_what_needs_one_says_what_to_add(folder, monkeypatch):
    for name in ("SCRIPTRUN_TOOL", "SCRIPTRUN_RUN_FOLDER", "SCRIPTRUN_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert not proxy_process.is_there()
    for use in (
        lambda: run.Run(folder).register_model,
        lambda: workspace.Workspace().datastores,
        lambda: experiment.Experiment("e").submit,
        lambda: run.Run.get(None, "x"),
    ):
        with pytest.raises(AttributeError, match="Add scriptrun"):
            use()
    assert not hasattr(workspace.Workspace(), "_private")
    with pytest.raises(errors.RunEnvironmentException):
        run.Run.get_context(allow_offline=False)
    assert isinstance(run.Run.get_context(), offline._OfflineRun)


TOOL = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] in ("end", "die"): sys.exit(5)
    said = {"error": asked["error"]} if "error" in asked else {"value": [asked["drop"], asked["x"]]}
    print(json.dumps(said), flush=True)
"""


@pytest.fixture
def helper(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRIPTRUN_TOOL", json.dumps([sys.executable, "-c", TOOL]))
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(tmp_path))
    yield lambda: proxy_process.helper("it")
    proxy_process.helper("it").end()


def test_a_helper_answers_line_by_line_and_what_was_dropped_is_told_once(helper):
    mine = helper()
    mine.dropped = [4, 2]
    assert mine.ask({"do": "x", "x": "ü\n"}) == [[4, 2], "ü\n"]
    assert mine.ask({"do": "x", "x": 1}) == [[], 1]
    assert helper() is mine


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("KeyError", KeyError), ("UserErrorException", errors.UserErrorException),
     ("DatasetOddException", errors.UserErrorException), ("SystemExit", Exception)],
)  # fmt: skip
def test_errors_of_the_helper_are_raised_here(helper, kind, expected):
    told = {"kind": kind, "message": "what is wrong", "hint": "do this"}
    with pytest.raises(expected, match="what is wrong") as caught:
        helper().ask({"do": "x", "error": told})
    assert type(caught.value).__name__ == kind


def test_a_helper_that_died_is_said_once_and_another_is_started(helper):
    mine = helper()
    with pytest.raises(errors.UserErrorException, match="exit code 5"):
        mine.ask({"do": "die"})
    assert helper() is not mine
    assert helper().ask({"do": "x", "x": 2}) == [[], 2]


def test_inputs_are_paths_in_the_job_and_datasets_elsewhere(folder, monkeypatch):
    job = record.job(folder)
    data = {
        "inputs": [{"name": "d", "mode": "mount"}, {"name": "t", "mode": "direct"}],
        "outputs": [{"name": "o"}],
    }
    (folder / "job.json").write_text(json.dumps({**job, "data": data}))
    given_in = inputs.Inputs(str(folder), lambda name: f"dataset {name}")
    written = inputs.Outputs(str(folder))
    monkeypatch.setenv(inputs.VARIABLE.format("d"), "/data/d")
    monkeypatch.setenv(inputs.VARIABLE.format("t"), "/data/t")
    monkeypatch.setenv("o", "/out")
    monkeypatch.setenv("SCRIPTRUN_RUN_ID", "another")
    assert (given_in["d"], written["o"]) == ("dataset d", None)
    monkeypatch.setenv("SCRIPTRUN_RUN_ID", folder.name)
    assert dict(given_in) == {"d": "/data/d", "t": "dataset t"}
    assert (dict(written), len(given_in)) == ({"o": "/out"}, 2)
    with pytest.raises(KeyError, match="no input 'x'; available: d, t"):
        _ = given_in["x"]
    given_in["x"] = object()
    assert [each["input"] for each in record.read_events(folder) if "input" in each] == ["x"]


def test_an_offline_run_prints_and_has_no_more_than_it_can_do(capsys):
    mine = offline._OfflineRun("me")
    with mine as entered, mine.child_run(run_id="below") as below:
        entered.log("loss", 0.5, step=3)
        below.log_table("t", {"a": (1, 2)})
        entered.upload_files(["a", "b"], [1, 2])
        entered.fail()
        entered.fail(error_details="why")
    out = capsys.readouterr().out
    assert "loss:\n0.5" in out and "a, b:\n" in out and "why" in out
    assert (below.id, hasattr(mine, "experiment")) == ("below", False)
    with pytest.raises(errors.UserErrorException, match="neither"):
        mine.log_image("i")
    with pytest.raises(errors.UserErrorException, match="a: 1, b: 2"):
        mine.log_table("t", {"a": [1], "b": [1, 2]})


@pytest.mark.parametrize("value", [[1], None, "text", 3])
def test_what_is_no_table_is_refused(mine, value):
    with pytest.raises(errors.UserErrorException, match="log_table"):
        mine.log_table("t", value)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a", "a", "b"], ["a", "a.1", "b"]),
        (["a", "a", "a.1", "a"], ["a", "a.2", "a.1", "a.3"]),
        ([1, "1"], ["1", "1.1"]),
    ],
)
def test_columns_of_one_name_are_all_kept(mine, columns, expected):
    mine.log_table("t", pd.DataFrame([range(len(columns))] * 2, columns=columns))
    table = reader.read(mine.folder, "t")["t"]
    assert table == {name: [number] * 2 for number, name in enumerate(expected)}


@pytest.mark.parametrize("path", [object(), 3, b"bytes"], ids=["object", "number", "bytes"])
def test_what_is_no_path_of_an_image_is_refused(mine, path):
    with pytest.raises(errors.UserErrorException, match="requires the path of a file"):
        mine.log_image("i", path)


class Picture:
    """As an image of PIL."""

    def getbands(self):
        return ("R", "G", "B")

    def save(self, stream, format):
        stream.write(format.encode())


def test_an_image_of_pil_and_an_open_file_are_png_files(mine):
    mine.log_image("pil", plot=Picture())
    mine.log_image("open", path=io.BytesIO(b"png"))
    assert [name.rpartition(".")[2] for name in mine.get_file_names()] == ["png", "png"]


@pytest.mark.parametrize("tags", [None, 3], ids=str)
def test_what_is_no_tag_is_refused(mine, tags):
    for call in (mine.set_tags, mine.remove_tags, mine.add_properties):
        with pytest.raises(errors.UserErrorException, match="must be a dict"):
            call(tags)


@given(st.text())
def test_a_picture_has_a_files_name_whatever_it_is_called(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("run")
    (folder / "events").mkdir()
    (folder / "p.png").write_bytes(b"png")
    calls_of = Calls(folder)
    calls_of.log_image(name, path=folder / "p.png")
    calls_of.log_image(name, path=folder / "p.png")
    kept = os.listdir(folder / "artifacts")
    assert len(kept) == 2 and all(each.endswith(".png") for each in kept)
    assert artifacts.names(folder) == sorted(kept)


def test_a_picture_is_drawn_from_what_can_draw():
    class Figure:
        def savefig(self, stream, format):
            stream.write(format.encode())

    class Axes:
        figure = Figure()

    assert images.render_png(Figure()).read() == images.render_png(Axes()).read() == b"png"
    with pytest.raises(errors.UserErrorException, match="not int"):
        images.render_png(3)
    with pytest.raises(errors.UserErrorException, match="not valid JSON"):
        calls.schema_value("m", '{"cut')
    assert calls.schema_value("m", '{"a": 1}') == {"a": 1}


def test_what_mlflow_wrote_is_read_and_what_it_is_writing_left(folder):
    place = folder / "mlflow" / "0" / "r" / "metrics"
    (place / "val").mkdir(parents=True)
    (place / "loss").write_text("1000 0.5 0\n2000 0.25 1\n\n3000 nan\n")
    (place / "val" / "acc").write_text("1000 -inf 2\n")
    (place / "cut").write_text("10 1 0\nx")
    (place / "odd").write_text("x y z\n")
    (folder / "mlflow" / "0" / "r" / "params").mkdir()
    (folder / "mlflow" / "0" / "r" / "params" / "p").write_text("1 2 3")
    found = [each for block in mlflow_reader.lines(folder) for each in block]
    assert sorted({each["m"] for each in found}) == ["cut", "loss", "val/acc"]
    assert [each.get("s") for each in found if each["m"] == "loss"] == [None, 1, None]
    assert reader.read(folder, "val/acc") == {"val/acc": float("-inf")}
    assert reader.read(folder, "loss")["loss"][:2] == [0.5, 0.25]
    assert list(mlflow_reader.lines(folder / "none")) == []


@pytest.mark.parametrize(
    "end", ["", "os._exit(0)", "os.execv(sys.executable, [sys.executable, '-c', ''])", "raise E"]
)
def test_no_line_is_lost_however_the_process_ends(folder, end):
    """But for one that ends with no warning, of which the beat has what is older than a period."""
    code = (
        "import os, sys\nfrom scriptrun.runtime.injob.metrics.writer import writer_of\n"
        f"from {flusher.__name__} import FLUSHER\n"
        "for n in range(100): writer_of(sys.argv[1]).scalar('x', n)\n"
        f"if 'exit' in {end!r}: FLUSHER.flush()\n{end}"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], stderr=subprocess.DEVNULL)
    assert reader.read(folder)["x"] == list(range(100))


def test_threads_and_forks_that_log_at_once_lose_nothing(folder):
    code = (
        "import os, sys, threading\n"
        "from scriptrun.runtime.injob.metrics.writer import writer_of\n"
        "def log(k):\n    for n in range(200): writer_of(sys.argv[1]).scalar(k, n)\n"
        "several = [threading.Thread(target=log, args=[k]) for k in 'ab']\n"
        "for each in several: each.start()\n"
        "pid = os.fork()\n"
        "log('child' if not pid else 'parent')\n"
        "if not pid: sys.exit()\n"
        "os.waitpid(pid, 0)\nfor each in several: each.join()\n"
    )
    argv = [sys.executable, "-W", "ignore", "-c", code, str(folder)]
    subprocess.run(argv, check=True)
    found = reader.read(folder)
    assert sorted(found) == ["a", "b", "child", "parent"]
    assert all(values == list(range(200)) for values in found.values())
    assert len(os.listdir(folder / "metrics")) == 2
