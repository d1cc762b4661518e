"""What mlflow wrote becomes metrics of the run."""

import math

import pytest

from scriptrun.runtime import mlflow_store
from scriptrun.runtime.injob.metrics import reader as metric_reader
from scriptrun.runtime.order import LaunchOrder


def store(folder, name, text):
    place = folder / "mlflow" / "0" / "run" / "metrics" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_values_come_in_order_with_nested_names(tmp_path):
    store(tmp_path, "accuracy", "1700000000000 0.5 0\n1700000000001 0.75 1\n")
    store(tmp_path, "val/loss", "1700000000000 2 0\n")
    assert metric_reader.read(tmp_path) == {"accuracy": [0.5, 0.75], "val/loss": 2.0}
    assert metric_reader.read(tmp_path, "accuracy") == {"accuracy": [0.5, 0.75]}


def test_what_is_no_number_and_half_a_line(tmp_path):
    store(tmp_path, "a", "1700000000000 nan 0\n1700000000000 inf 1\n1700000000000 -inf 2\n17000")
    found = metric_reader.read(tmp_path)["a"]
    assert math.isnan(found[0]) and found[1:] == [math.inf, -math.inf]


def test_lines_that_are_half_written_are_passed_over_and_the_others_count(tmp_path):
    store(
        tmp_path,
        "a",
        "1700000000000 0.5 0\n17000000 0.\n1700 x 1\n1 1 y\n\0\0\n2 0.25 1\n1 1e400 z",
    )
    store(tmp_path, "b", "1 2 3\n")
    (tmp_path / "mlflow" / "0" / "run" / "metrics" / "c").write_bytes(b"\xff\xfe 1\n5 0.75 1\n")
    found = metric_reader.read(tmp_path)
    assert found == {"a": [0.5, 0.0, 0.25], "b": 2.0, "c": 0.75}


def order(tmp_path):
    places = dict.fromkeys(["workspace", "store", "runtime"], str(tmp_path))
    return LaunchOrder(folder=str(tmp_path / "run"), prefix=str(tmp_path / "env"), **places)


def test_without_mlflow_nothing_is_made(tmp_path):
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    assert mlflow_store.variables({"id": "x_1"}, order(tmp_path), {}) == {}
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("place", "is_seen"),
    [
        ("env/lib/python3.11/site-packages", True),
        ("base/lib/python3/dist-packages", True),
        ("base/local/lib/python3.11/dist-packages", True),
        ("home/.local/lib/python3.11/site-packages", True),
        ("elsewhere/lib/python3.11/site-packages", False),
    ],
)
@pytest.mark.parametrize("shares", ["true", "false"])
def test_mlflow_is_seen_wherever_the_interpreter_finds_it(tmp_path, place, is_seen, shares):
    (tmp_path / place / "mlflow").mkdir(parents=True)
    (tmp_path / "env").mkdir(exist_ok=True)
    settings = f"home = {tmp_path}/base/bin\ninclude-system-site-packages = {shares}\n"
    (tmp_path / "env" / "pyvenv.cfg").write_text(settings)
    job_order = order(tmp_path).replace(environ={"HOME": str(tmp_path / "home")})
    expected = is_seen and (shares == "true" or place.startswith("env"))
    assert bool(mlflow_store.variables({"id": "x_1"}, job_order, {})) == expected


@pytest.mark.parametrize(
    ("uri", "job", "is_said"),
    [
        ("http://server:5000", {}, True),
        ("http://server:5000", {"passed": ["MLFLOW_TRACKING_URI"]}, False),
        ("http://server:5000", {"variables": {"MLFLOW_TRACKING_URI": "http://other"}}, False),
        ("file:///ws/.scriptrun/mlflow", {}, False),
        ("", {}, False),
    ],
)
def test_a_tracking_server_that_the_job_does_not_log_to_is_told(tmp_path, uri, job, is_said):
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "mlflow").mkdir(parents=True)
    job_order = order(tmp_path).replace(environ={"MLFLOW_TRACKING_URI": uri})
    assert ("--env MLFLOW_TRACKING_URI" in mlflow_store.note(job, job_order)) == is_said


def test_a_tracking_server_of_the_users_own_stands(tmp_path):
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "mlflow").mkdir(parents=True)
    mine = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
    assert mlflow_store.variables({"id": "x_1"}, order(tmp_path), mine) == {}
    made = mlflow_store.variables({"id": "a.b_1"}, order(tmp_path), {})
    assert made["MLFLOW_RUN_ID"] == "a-b_1"


def test_tags_of_the_run_are_read_without_mlflows_own_and_those_of_nested_runs(tmp_path):
    for name, text in (("a-b_1/tags/kind", "ridge"), ("a-b_1/tags/mlflow.user", "me")):
        path = tmp_path / "mlflow" / "0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tags = tmp_path / "mlflow" / "0" / "a-b_1" / "tags"
    (tags / "folder").mkdir()
    (tags / "folder" / "inner").write_text("x")
    (tags / "long").write_text("y" * 100_000)
    (tags / "dangling").symlink_to("nothing")
    (tmp_path / "mlflow" / "0" / "nested" / "tags").mkdir(parents=True)
    (tmp_path / "mlflow" / "0" / "nested" / "tags" / "kind").write_text("lasso")
    found = mlflow_store.read_tags({"id": "a.b_1"}, str(tmp_path))
    assert len(found.pop("long")) == 32_000
    assert found == {"kind": "ridge", "folder/inner": "x"}
    assert mlflow_store.read_tags({"id": "other_1"}, str(tmp_path)) == {}
