"""A workspace that an earlier scriptrun wrote, and that was moved: all of it is still there.

``tests/fixtures/make_workspace.py`` says what is in it and how it was written. The host on which its
unfinished runs were left is not this one.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from scriptrun import Dataset, Experiment, Model, Run, Workspace
from scriptrun.testing.jobs import tree

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "workspace_fa23f22.tar.gz"

LISTED = {
    "first": "Completed",
    "first again": "Completed",
    "second": "Completed",
    "broken": "Failed",
    "too long": "Failed",
    "line": "Failed",
    "canceled": "Canceled",
    "launcher killed": "Failed",
    "all killed": "Failed",
    "folds": "Completed",
    "tried twice": "Completed",
    "packaged": "Completed",
    "own wheel": "Completed",
    "ranks": "Completed",
    "old code": "Completed",
    "by hand": "Completed",
    "with data": "Completed",
    "reference": "Completed",
    "resumed": "Completed",
    "tuned": "Completed",
    "grid": "Completed",
    "left running": "Running",
    "left logging": "Running",
    "left finalizing": "Finalizing",
    "left sweeping": "Running",
    "left preparing": "Preparing",
    "left waiting": "Queued",
    "canceled early": "Canceled",
}
CHILDREN = {
    "fold 0": "Completed",
    "fold 1": "Completed",
    "fold 2": "Failed",
    "": "Completed",
    "tuned_0": "Completed",
    "tuned_1": "Completed",
    "tuned_2": "Completed",
    "tuned_3": "Completed",
    "grid_0": "Completed",
    "grid_1": "Completed",
    "left cell": "Running",
    "left sweeping_0": "Running",
}
METRICS = {
    "loss": [0.5, 0.25, 0.125],
    "accuracy": 0.625,
    "epochs": 3,
    "kind": "réseau",
    "good": True,
    "worst": "NaN",
    "most": "Infinity",
    "widths": [32, 64, 128],
    "place": {"x": [1, 2], "y": [2.5, None]},
    "scores": {"digit": [1, 2], "score": [0.5, 0.25]},
    "matrix": {
        "schema_type": "confusion_matrix",
        "schema_version": "v1",
        "data": {"class_labels": ["0", "1"], "matrix": [[3, 1], [0, 4]]},
    },
    "left": {"schema_type": "residuals", "schema_version": "v1", "data": {"bin_counts": [1, 2]}},
}
#: how the reason begins why a run has failed of which nothing is left
LOST = "the run ended without telling how: the launcher (process "
#: the same in today's words
GONE = "the run ended without reporting a result: the launcher (process "
#: what `scriptrun show` says of a run
SHOWN = {
    "first": {
        "experiment": "digits",
        "state": "Completed",
        "command": "train.py --alpha 0.5",
        "target": "local",
        "variables": "MESSAGE",
        "tags": "by=ada, draft, converged=yes, seen, kept=for good",
        "messages": "looked at",
    },
    "second": {"command": "train.py --alpha 0.75", "variables": "MESSAGE, SEED"},
    "broken": {"state": "Failed", "reason": "broken.py ended with exit code 1"},
    "too long": {
        "state": "Failed",
        "reason": "sleepy.py was stopped: it ran longer than max_run_duration_seconds=1",
    },
    "line": {
        "state": "Failed",
        "reason": "the command ended with exit code 3",
        "command": "echo one; echo two; exit 3",
    },
    "canceled": {"state": "Canceled", "reason": "canceled while it ran"},
    "canceled early": {"state": "Canceled", "reason": "canceled before it started"},
    "launcher killed": {"state": "Failed", "reason": "the launcher was ended by SIGKILL"},
    "fold 2": {"state": "Failed", "reason": "RuntimeError: an empty fold"},
    "tried twice": {
        "state": "Completed",
        "messages": "attempt 1 failed (tries.py ended with exit code 75); "
        "it is started again, at most 2 times",
    },
    "old code": {"target": "cpu-cluster", "tags": "by=old code", "experiment": "legacy"},
    "by hand": {"command": "none (interactive run)", "state": "Completed"},
    "tuned": {"command": "sweep of tuned.py", "state": "Completed", "experiment": "tune"},
    "left running": {"state": "Running", "command": "sleepy.py"},
    "left finalizing": {"state": "Finalizing"},
    "left preparing": {"state": "Preparing", "command": "never.py"},
    "left waiting": {"state": "Queued", "target": "small", "command": "looks.py ."},
}
LOGGED = {
    "first": "hello trained with 0.5\nno GPU\n",
    "second": "good day trained with 0.75\nno GPU\n",
    "resumed": "hello trained with 0.25\nno GPU\nfrom weights 0.5\n",
    "line": "one\ntwo\n",
    "tried twice": "from step 0\nfrom step 1\n",
    "packaged": "red 1.0 blue 1.0\n",
    "own wheel": "2.0\n",
    "old code": "['logs', 'looks.py', 'outputs']\n",
    "reference": "['labels.txt']\n",
    "left running": "started\n",
    "left waiting": "",
}
#: lr, batch size and accuracy of the runs of the sweep, in their order
POINTS = [
    (0.28471075795640655, 64, 1.3487107579564067),
    (0.8892400876499108, 64, 1.9532400876499107),
    (0.286813638878999, 32, 1.318813638878999),
    (0.5576699008099302, 32, 1.5896699008099302),
]


@pytest.fixture
def old(user, tmp_path, monkeypatch):
    """A user in the old project, who has the interpreter and the secrets that it names."""
    unpack(tmp_path)
    venv.create(tmp_path / "python", symlinks=True)
    place = tmp_path / "python" / "bin"
    (place / "lab-python").symlink_to("python")
    user.environ["PATH"] = f"{place}{os.pathsep}{user.environ['PATH']}"
    user.environ["SCRIPTRUN_SECRETS"] = str(tmp_path / "secrets" / "kept")
    monkeypatch.setenv("SCRIPTRUN_SECRETS", user.environ["SCRIPTRUN_SECRETS"])
    return user


def unpack(place: Path) -> None:
    """The archive's files with their times: by these a file of a dataset is known as unchanged."""
    with tarfile.open(OLD) as archive:
        archive.extraction_filter = lambda member, path: member
        archive.extractall(place)
        for member in archive:
            seconds, _, rest = str(member.pax_headers.get("mtime", member.mtime)).partition(".")
            if member.isfile():
                time = int(seconds + rest.ljust(9, "0")[:9])
                os.utime(place / member.name, ns=(time, time))


@pytest.fixture
def workspace(old) -> Workspace:
    return Workspace(old.here)


def run_of(workspace: Workspace, name: str) -> Run:
    """The one run with this display name."""
    (found,) = (
        run
        for experiment in Experiment.list(workspace)
        for run in experiment.get_runs(include_children=True)
        if run.display_name == name
    )
    return found


def facts(shown: str) -> dict[str, str]:
    """The facts that `scriptrun show` prints, after the log of a run that failed."""
    lines = re.split("^(?=run  )", shown, flags=re.M)[-1].partition("\n\n")[0].splitlines()
    return dict(re.split(" {2,}", line, maxsplit=1) for line in lines if line[0] != " ")


def test_all_runs_are_listed(old):
    rows = old.does("list", "--json", "--all", "--children").json["runs"]
    names = ["" if row["name"] == row["short_name"] else row["name"] for row in rows]
    named = dict(zip(names, [row["state"] for row in rows], strict=True))
    assert named == {**LISTED, **CHILDREN}
    assert len(rows) == len(named)
    assert [row["name"] for row in old.runs()] == list(LISTED)[::-1]
    failed = [name for name, state in LISTED.items() if state == "Failed"]
    found = old.does("list", "--json", "-s", "failed").json["runs"]
    assert [row["name"] for row in found] == failed[::-1]
    table = old.does("list", "-e", "digits", "-s", "completed").out.splitlines()
    names = [re.split(" {2,}", line)[1] for line in table]
    assert names == ["NAME", "resumed", "second", "first again", "first"]


def test_each_run_has_a_short_name_that_finds_it(old, workspace):
    rows = old.does("list", "--json", "--all", "--children").json["runs"]
    names = {row["id"]: row["short_name"] for row in rows}
    assert len(set(names.values())) == len(LISTED) + len(CHILDREN)
    assert {run_id: Run.find(workspace, name).id for run_id, name in names.items()} == {
        run_id: run_id for run_id in names
    }
    first = run_of(workspace, "first")
    assert facts(old.does("show", first.short_name).out)["name"] == "first"
    for row in old.does("sweep", "show", "tuned", "--json").json["runs"]:
        assert row["short_name"] == names[row["id"]]


def test_each_run_is_shown_as_it_ended_or_was_left(old):
    for name, told in SHOWN.items():
        shown = facts(old.does("show", name).out)
        assert {key: shown[key] for key in told} == told, name
    lost = old.does("show", "all killed", "--json").json
    assert lost["state"] == "Failed"
    assert lost["reason"].startswith(LOST)
    assert lost["reason"].endswith(" on lab-1) is gone")


def test_a_run_is_shown_whole(old):
    first, again = (old.does("show", name, "--json").json for name in ("first", "first again"))
    image = first["metric_values"].pop("dot")
    assert image.startswith(f"aml://artifactId/ExperimentRun/dcid.{first['id']}/dot_")
    assert first["metric_values"] == METRICS
    picture = image.rpartition("/")[2]
    kept = "kept/settings.json outputs/deep/notes.txt outputs/model.txt user_logs/std_log.txt"
    assert first["files"] == [picture, *kept.split()]
    assert first["details"]["properties"]["layers"] == "2"
    assert first["details"]["properties"]["azureml.git.branch"] == "trunk"
    assert (first["exit_code"], first["attempts"], first["user"]) == (0, 1, "ada")
    assert (
        first["details"]["runDefinition"]["environment"]["python"]["interpreterPath"]
        == "lab-python"
    )
    assert first["tags"] == {
        "by": "ada",
        "draft": None,
        "converged": "yes",
        "seen": None,
        "kept": "for good",
    }
    assert again["snapshot"] == first["snapshot"]
    assert f"rerun of     first ({first['id']})\n" in old.does("show", "first again").out
    assert old.does("show", "tried twice", "--json").json["attempts"] == 2


def test_metrics_are_read_back(workspace):
    first = run_of(workspace, "first")
    metrics = first.get_metrics()
    image = metrics.pop("dot").rpartition("/")[2]
    assert math.isnan(metrics.pop("worst")) and metrics.pop("most") == math.inf
    assert metrics == {name: METRICS[name] for name in metrics} and len(metrics) == 10
    assert first.get_metrics("loss") == {"loss": [0.5, 0.25, 0.125]}
    assert run_of(workspace, "left running").get_metrics() == {"step": [1, 2]}
    assert sorted(run_of(workspace, "ranks").get_metrics()["rank"]) == [0, 1]
    first.download_file(image, str(workspace.root / "dot.png"))
    assert (workspace.root / "dot.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_said_of_a_run_is_read_back(workspace):
    first = run_of(workspace, "first")
    assert first.description == "A first try"
    assert first.get_tags() == {
        "by": "ada",
        "draft": None,
        "converged": "yes",
        "seen": None,
        "kept": "for good",
    }
    assert first.get_environment().environment_variables == {"MESSAGE": "hello"}
    tagged = first.experiment.get_runs(tags={"by": "ada"})
    assert [run.display_name for run in tagged] == ["first again", "first"]
    first.restore_snapshot(path=str(workspace.root / "restored"))
    source = tree(workspace.root / "restored")
    assert sorted(source) == ["old.txt", "train.py"]
    assert source["old.txt"] == b"old\n" and b"range(3)" in source["train.py"]


def test_children_are_read_back(workspace):
    folds = run_of(workspace, "folds")
    children = list(folds.get_children())
    assert [(each.name, each.status) for each in children[:3]] == [
        ("fold 0", "Completed"),
        ("fold 1", "Completed"),
        ("fold 2", "Failed"),
    ]
    assert [each.get_tags() for each in children] == [
        {"fold": "0"},
        {"fold": "1"},
        {},
        {"seed": "7"},
    ]
    assert children[3].get_file_names() == ["note.txt"]
    metrics = folds.get_metrics(recursive=True)
    assert metrics[children[0].id] == {"accuracy": 0.75}
    assert metrics[children[1].id] == {"accuracy": 0.875}
    assert children[0].parent.id == folds.id


def test_logs_are_printed(old):
    for name, logged in LOGGED.items():
        assert old.does("logs", name).out == logged, name
    broken = old.does("logs", "broken").out.splitlines()
    assert (broken[0], broken[-1]) == ("before", "ValueError: no such digit: 17")
    assert old.does("logs", "ranks", "--all").out.splitlines() == [
        "[0] rank 0 of 2",
        "[1] rank 1 of 2",
    ]
    assert old.types("logs", "line", "--follow").code == 1


def test_two_runs_are_compared(old):
    lines = old.does("diff", "first", "second").out.splitlines()
    for line in (
        *("- --alpha 0.5", "+ --alpha 0.75", "- MESSAGE hello", "+ MESSAGE good day", "+ SEED 7"),
        *("- accuracy 0.625", "+ accuracy 0.6875", "removed: old.txt", "added: new.txt"),
        *("-for step in range(3):", "+for step in range(4):"),
    ):
        assert line in lines, line
    found = old.does("diff", "first", "second", "--json").json
    assert found["arguments"] == [["--alpha", "0.5"], ["--alpha", "0.75"]]
    assert found["metrics"]["loss"] == [[0.5, 0.25, 0.125], [0.75, 0.375, 0.1875, 0.09375]]
    assert list(found["outputs"]) == ["outputs/model.txt"]
    same = old.does("diff", "first", "first again", "--json").json
    assert (same["code"], same["arguments"], same["outputs"]) == ([], None, {})


def test_a_run_is_started_again(old):
    assert old.does("rerun", "first", "-n", "third time").out == LOGGED["first"]
    first, third = (old.does("show", name, "--json").json for name in ("first", "third time"))
    assert third["state"] == "Completed"
    assert third["snapshot"] == first["snapshot"]
    assert first["metric_values"].pop("dot") and third["metric_values"].pop("dot")
    assert third["metric_values"] == METRICS
    assert facts(old.does("show", "third time").out)["rerun of"] == f"first ({first['id']})"
    assert old.does("rerun", "tuned_0", "--verify", "--json").json["answer"] == "same"
    assert old.does("rerun", "tried twice").out == LOGGED["tried twice"]
    assert old.types("rerun", "line").code == 2  # its interpreter was that of another place


def test_a_run_with_packages_is_started_again(old, tmp_path):
    packages = old.does("env", "show", "packaged", "--json").json["packages"]
    assert (packages["blue"], packages["red"]) == ("1.0", "1.0")
    assert "red, which the environment does not hold" in old.does("show", "packaged").out
    places = f"/usr/bin{os.pathsep}/usr/local/bin"
    if sys.version_info[:2] != (3, 11) and not shutil.which("python3.11", path=places):
        pytest.skip("this machine has no Python 3.11, to which that run was locked")
    old.environ.update(UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "uv"))
    old.environ.update(UV_FIND_LINKS=str(tmp_path / "packages"))
    assert old.does("rerun", "packaged", "-n", "again").out == LOGGED["packaged"]
    first, again = (old.does("show", name, "--json").json for name in ("packaged", "again"))
    assert (again["state"], again["metric_values"]) == ("Completed", {"red": "1.0"})
    assert again["environment"]["key"] == first["environment"]["key"]


def test_a_run_with_data_is_started_again(old):
    shown = old.does("show", "with data").out
    assert "photos: linked 2 files, 7 bytes" in shown
    assert "features: uploaded to workspaceblobstore:features/data_" in shown
    old.does("rerun", "with data", "-n", "again")
    again = old.does("show", "again", "--json").json
    assert again["metrics"] == {"photos": 2, "sales": 2}
    assert again["notes"] == ["registered dataset 'features', version 2"]


def test_a_new_run_stands_beside_the_old_ones(old):
    words = ("-e", "digits", "--environment", "plain", "--source", "train", "train/train.py")
    done = old.does("run", "-n", "new", *words, "--", "--alpha", "1")
    assert done.out == "good day trained with 1.0\nno GPU\n"
    assert {run["name"] for run in old.runs()} == {*LISTED, "new"}
    assert old.does("show", "new", "--json").json["target"] == "small"
    assert old.does("diff", "second", "new", "--json").json["code"] == []


def points_of(rows):
    """The parameters and the best value of a sweep's runs, in the order they were sampled."""
    ordered = sorted(rows, key=lambda row: row["number"])
    return [(*row["params"].values(), row["best"]) for row in ordered]


def test_a_sweep_is_read_back(old, workspace):
    shown = old.does("sweep", "show", "tuned").out
    assert "4/4: 4 Completed" in shown and "random, seed 7" in shown
    assert "--lr 0.8892400876499108 --batch_size 64" in shown
    rows = old.does("sweep", "show", "tuned", "--json").json["runs"]
    assert points_of(rows) == POINTS
    tuned, grid = run_of(workspace, "tuned"), run_of(workspace, "grid")
    best = tuned.get_best_run_by_primary_metric()
    assert best.display_name == "tuned_1"
    assert best.get_metrics() == {"accuracy": [0.9532400876499107, 1.9532400876499107]}
    top = tuned.get_children_sorted_by_primary_metric(top=2)
    assert [row["best_primary_metric"] for row in top] == [POINTS[1][2], POINTS[3][2]]
    assert grid.get_best_run_by_primary_metric().display_name == "grid_0"
    assert len(tuned.to_pandas()) == 4


def test_a_sweep_goes_on(old):
    old.does("sweep", "resume", "tuned", "--max-runs", 5)
    record = old.does("sweep", "show", "tuned", "--json").json
    assert record["state"] == "Completed"
    rows = points_of(record["runs"])
    assert rows[:4] == POINTS
    assert rows[4][:2] == (0.41831755076201316, 64)


def test_a_sweep_that_was_left(old):
    assert "1/2: 1 Running" in old.does("sweep", "show", "left sweeping").out
    (row,) = old.does("sweep", "show", "left sweeping", "--json").json["runs"]
    assert (*row["params"].values(), row["state"]) == (0.25, 32, "Running")
    resumed = old.types("sweep", "resume", "left sweeping")
    assert resumed.code == 2 and "runs on lab-1" in resumed.err


def test_models_are_read_back(old, workspace, tmp_path):
    listed = old.does("model", "list", "--json").json["models"]
    assert [each["id"] for each in listed] == ["digits:2", "notes:1"]
    shown = old.does("model", "show", "digits:1").out
    for said in ("reads digits", "Custom 1.5", "training data: photos:2", "by=sweep, stage=trial", "layers=2"):  # fmt: skip
        assert said in shown, said
    assert old.does("model", "download", "digits:1", tmp_path / "one").out.endswith("model.txt\n")
    assert (tmp_path / "one/model.txt").read_text() == "lr 0.8892400876499108"
    model = Model(workspace, "digits")
    assert (model.version, model.tags, model.model_framework) == (2, {"by": "hand"}, "ScikitLearn")
    assert model.run.display_name == "first"
    assert tree(Path(model.download(tmp_path / "two"))) == {
        "deep/notes.txt": b"notes",
        "model.txt": b"weights 0.5",
    }
    words = ("--run", "second", "--tag", "by=now")
    assert old.does("model", "register", "digits", "outputs", *words).out == "Registered digits:3\n"


def test_lineage_leads_back_to_the_data(old):
    told = old.does("lineage", "digits:1", "--json").json
    run = told["run"]
    assert [(each["name"], each["version"]) for each in told["datasets"]["training data"]] == [
        ("photos", 2)
    ]
    assert (run["experiment"], run["state"], run["script"]) == ("tune", "Completed", "tuned.py")
    assert run["arguments"] == ["--lr", "0.8892400876499108", "--batch_size", "64"]
    assert run["parent"]["kind"] == "hyperdrive" and run["snapshot"]["kept"] is True
    shown = old.does("lineage", "digits:1").out
    assert run["id"] in shown and run["parent"]["id"] in shown


def test_datasets_are_listed(old):
    listed = old.does("data", "list", "--json").json["datasets"]
    assert [(each["name"], each["version"], each["type"], each["files"]) for each in listed] == [
        ("features", 1, "file", 1),
        ("labels", 1, "file", 1),
        ("photos", 2, "file", 3),
        ("sales", 2, "tabular", 2),
    ]
    shown = old.does("data", "show", "photos@1", "--json").json
    assert (shown["versions"], shown["size"], shown["description"]) == ([1, 2], 7, "of digits")
    assert shown["tags"] == {"source": "camera"}
    assert shown["used_by"] == [old.does("show", "with data", "--json").json["id"]]
    same = ("workspaceblobstore:photos/**", "--tag", "source=scanner")
    assert "photos, version 2: 3 files, 12 B" in old.does("data", "register", "photos", *same).out


def test_datasets_are_read_back(old, workspace, tmp_path):
    old.does("data", "download", "photos@1", tmp_path / "photos")
    assert tree(tmp_path / "photos") == {"1.txt": b"one", "2.txt": b"two!"}
    assert Dataset.get_by_name(workspace, "photos").to_path() == ["/1.txt", "/2.txt", "/3.txt"]
    sales = Dataset.get_by_name(workspace, "sales").to_pandas_dataframe()
    assert sales.to_dict("list") == {"item": ["pen", "book", "ink"], "price": [2, 30, 4]}
    before = Dataset.get_by_name(workspace, "sales", version=1).to_pandas_dataframe()
    assert before.to_dict("list") == {"item": ["pen", "book"], "price": [2, 30]}
    old.does("data", "download", "features", tmp_path / "features")
    assert tree(tmp_path / "features") == {"features.csv": b"name,size\none,3\ntwo,4\n"}


def test_a_datastore_that_was_moved(old, tmp_path):
    stores = {
        each["name"]: each for each in old.does("datastore", "list", "--json").json["datastores"]
    }
    assert stores["shared"]["settings"]["path"] == "/srv/lab/shared"
    assert stores["results"]["settings"]["endpoint"] == "https://s3.lab.test"
    assert stores["workspaceblobstore"]["default"] is True
    old.does("datastore", "add", "shared", "--local", tmp_path / "shared", "--overwrite")
    old.does("data", "download", "labels", tmp_path / "labels")
    assert tree(tmp_path / "labels") == {"labels.txt": b"one two"}
    assert old.does("rerun", "reference").out == LOGGED["reference"]


def test_environments_are_read_back(old, workspace):
    named = {each["name"]: each for each in old.does("env", "list", "--json").json["named"]}
    registered = {
        name: each["version"] for name, each in named.items() if each["kind"] == "registered"
    }
    assert registered == {"old": "1", "own-wheel": "1", "packaged": "1", "plain": "2"}
    assert named["team-red"]["kind"] == "team"
    assert named["azureml-sklearn-1.5"]["kind"] == "alias of plain"
    assert old.does("env", "alias").out == "AzureML-sklearn-* -> plain\n"
    assert old.does("env", "show", "plain:1", "--json").json["spec"]["interpreter"] == "lab-python"
    assert "red-2.0-py3-none-any.whl" in old.does("env", "show", "own-wheel").out
    assert "registry.lab.test/us" in old.does("env", "registry").out
    first, latest = (workspace.get_environment("plain", version) for version in ("1", None))
    assert first.environment_variables == {"MESSAGE": "hello"}
    assert latest.environment_variables == {"MESSAGE": "good day"}
    assert latest.register(workspace).version == "2"


def test_compute_targets_are_read_back(old):
    listed = {each["name"]: each for each in old.does("compute", "list", "--json").json["targets"]}
    assert {name: each["class"] for name, each in listed.items()} == {
        "cpu-cluster": "Local",
        "gpu": "Slurm",
        "local": "Local",
        "small": "Local",
    }
    assert listed["local"]["options"] == {"max_runs": 6}
    assert {("partition", "gpu"), ("gres", "gpu:1"), ("time", "8:00:00")} <= {
        *listed["gpu"]["options"].items()
    }
    assert old.does("compute", "default").out == "small\n"
    assert old.does("compute", "alias").out == "gpu-* -> local\n"
    old.does("compute", "set", "small", "--max-runs", 2)
    assert old.does("compute", "show", "small", "--json").json["options"] == {"max_runs": 2}


def test_the_workspace_says_what_it_is(old, workspace):
    assert (workspace.name, workspace.location) == ("lab", "westeurope")
    assert workspace.tags == {"team": "digits"}
    assert workspace.experiments["digits"].tags == {"about": "handwriting"}
    assert "given-up" not in workspace.experiments
    (archived,) = Experiment.list(workspace, view_type="ArchivedOnly")
    assert archived.name == "given-up"
    vault = workspace.get_default_keyvault()
    assert vault.list_secrets() == [{"name": "storage-key"}]
    assert vault.get_secrets(["storage-key", "s3"]) == {
        "storage-key": "swordfish",
        "s3": "key:word",
    }
    assert workspace.container_registry == {"address": "registry.lab.test/us", "username": "ada"}


def test_looking_changes_nothing(old, workspace):
    """But for the copies beside registered files, which are made anew."""

    def written():
        found = tree(old.here / ".scriptrun")
        return {path: found[path] for path in found if not re.search(r"/\.[^/]+\.json$", path)}

    before = written()
    for words in (
        *("list --all --children", "show first", "logs broken", "sweep show tuned"),
        *("env list", "data show photos", "model show digits", "lineage digits"),
    ):
        old.does(*words.split())
    for experiment in Experiment.list(workspace):
        for run in experiment.get_runs(include_children=True):
            assert run.get_details()["status"] == run.get_status()
            run.get_metrics(), run.get_file_names(), list(run.get_children())
    assert written() == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("left running", GONE),
        ("left finalizing", GONE),
        ("left waiting", "its queue entry is missing"),
    ],
    ids=["running", "finalizing", "waiting"],
)
def test_what_was_left_is_settled_on_its_own_host(old, name, reason):
    """This host takes the other's name, and has been started again since."""
    folder = Path(old.does("show", name, "--json").json["folder"])
    for path in [folder / "job.json", *folder.glob("attempts/1/node-0.start.json")]:
        told = json.loads(path.read_text())
        owner = told.get("submitted_by", told)
        owner.update(host=os.uname().nodename, boot="an earlier one")
        path.write_text(json.dumps(told))
    shown = old.does("show", name, "--json").json
    assert shown["state"] == "Failed"
    assert shown["reason"].startswith(reason)
    assert json.loads((folder / "attempts/1/result.json").read_text())["state"] == "Failed"
    assert name in [row["name"] for row in old.does("list", "-s", "failed", "--json").json["runs"]]
