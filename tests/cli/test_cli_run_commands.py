"""Commands on runs and models that are there: list, show, logs, download, diff, export, lineage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scriptrun.cli import main
from scriptrun.cli.runs import diff, export, lineage
from scriptrun.core.experiment import Experiment
from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace


class Typed:
    """What a command wrote, and its exit code."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in err, err
        assert code != 70, err

    @property
    def json(self):
        value = json.loads(self.out)
        assert value.pop("schema") == 1
        return value


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = tmp_path / "work"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("w", path=root)


@pytest.fixture
def types(workspace, capsys):
    def run(*words):
        capsys.readouterr()
        code = main(list(words))
        return Typed(code, *capsys.readouterr())

    return run


def logged(workspace, name="", experiment="first", files=(), **metrics):
    """A run of this process that has ended."""
    run = Experiment(workspace, experiment).start_logging(snapshot_directory=None)
    if name:
        run.display_name = name
    for metric, value in metrics.items():
        run.log(metric, value)
    for path in files:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"content of {path}")
        run.upload_file(f"outputs/{path}", path)
    run.complete()
    return run


# list


def test_the_newest_run_is_first(workspace, types):
    ids = [logged(workspace).id for _ in range(3)]
    assert [row["id"] for row in types("list", "--json").json["runs"]] == ids[::-1]
    assert [row["id"] for row in types("list", "-l", "2", "--json").json["runs"]] == ids[:0:-1]


def test_a_cut_list_says_that_there_are_more(workspace, types):
    for _ in range(3):
        logged(workspace)
    cut, whole = types("list", "-l", "2"), types("list", "-l", "3")
    assert "--all" in cut.err
    assert whole.err == ""
    assert len(whole.out.splitlines()) == len(cut.out.splitlines()) + 1
    assert types("list", "-l", "1", "-a").err == ""


def test_runs_are_listed_by_experiment_and_state(workspace, types):
    first, second = logged(workspace), logged(workspace, experiment="second")
    second.fail()

    def listed(*words):
        return [row["id"] for row in types("list", "--json", *words).json["runs"]]

    assert listed("-e", "first") == [first.id]
    assert listed("-e", "none such") == []
    assert listed("-s", "completed") == listed("-s", "Completed")
    assert listed("-s", "RUNNING") == []
    assert set(listed("-s", "completed") + listed("-s", "failed")) == {first.id, second.id}


@pytest.mark.parametrize(
    "words", [["-l", "0"], ["-l", "-3"], ["-l", "x"], ["-s", "Done"], ["-s", ""]]
)
def test_a_list_that_would_show_nothing_is_refused(workspace, types, words):
    done = types("list", *words)
    assert (done.code, done.out) == (2, "")
    assert words[1] in done.err


# show


def test_a_run_is_shown_with_its_metrics_and_files(workspace, types):
    run = logged(workspace, "my try", files=["a.txt", "deep/b.txt"], accuracy=0.912345678)
    text = types("show").out
    for word in (run.id, "my try", "first", "0.912346", "outputs/a.txt", "outputs/deep/b.txt"):
        assert word in text
    shown = types("show", "my try", "--json").json
    assert shown["id"] == run.id
    assert shown["metrics"] == {"accuracy": 0.912345678}
    assert {"outputs/a.txt", "outputs/deep/b.txt"} <= set(shown["files"])


def test_many_files_are_counted(workspace, types):
    logged(workspace, files=[f"f{n:02}" for n in range(20)])
    text = types("show").out
    assert "outputs/f00" in text
    assert "outputs/f19" not in text
    assert "and 5 more" in text
    assert "outputs/f19" in types("show", "--json").json["files"]


@pytest.mark.parametrize("verb", ["show", "logs", "download", "rerun", "export", "shell"])
def test_a_run_that_is_not_there_is_named(workspace, types, verb):
    more = ["--to", "shell"] if verb == "export" else []
    none = types(verb, *more)
    assert none.code == 2
    logged(workspace)
    done = types(verb, "nowhere", *more)
    assert done.code == 2
    assert "nowhere" in done.err


# download


def test_outputs_are_copied_with_their_folders(workspace, types, tmp_path):
    logged(workspace, files=["a.txt", "deep/b.txt"])
    done = types("download", "-o", str(tmp_path / "to"), "--json")
    copied = sorted(path.relative_to(tmp_path / "to") for path in map(Path, done.json["files"]))
    assert [path.name for path in copied] == ["a.txt", "b.txt"]
    assert {path.read_text() for path in map(Path, done.json["files"])} == {
        "content of a.txt",
        "content of deep/b.txt",
    }


def test_a_single_file_keeps_its_last_name(workspace, types, tmp_path):
    run = logged(workspace, files=["a.txt", "deep/b.txt"])
    for words in ([run.id, "outputs/deep/b.txt"], ["outputs/deep/b.txt"]):
        place = tmp_path / str(len(words))
        assert types("download", *words, "-o", str(place)).code == 0
        assert [path.name for path in place.iterdir()] == ["b.txt"]


def test_a_beginning_copies_all_that_begin_so(workspace, types, tmp_path):
    run = logged(workspace, files=["a.txt", "deep/b.txt", "deep/c.txt"])
    done = types("download", run.id, "outputs/deep/", "-o", str(tmp_path / "to"), "--json")
    assert sorted(Path(path).name for path in done.json["files"]) == ["b.txt", "c.txt"]


def test_a_file_that_the_run_lacks_is_refused_with_those_it_has(workspace, types, tmp_path):
    run = logged(workspace, files=["a.txt"])
    done = types("download", run.id, "outputs/z", "-o", str(tmp_path / "to"))
    assert done.code == 2
    assert "outputs/z" in done.err
    assert "outputs/a.txt" in done.err
    assert not (tmp_path / "to").exists()


# logs and cancel


@pytest.mark.parametrize("words", [["-t", "-1"], ["--all", "--rank", "0"], ["-t", "x"]])
def test_a_log_is_asked_for_in_one_way(workspace, types, words):
    logged(workspace)
    assert types("logs", *words).code == 2


def test_what_has_ended_is_not_cancelled(workspace, types):
    run = logged(workspace)
    assert run.id in types("cancel").out
    (told,) = types("cancel", run.id, "--json").json["runs"]
    assert told["id"] == run.id
    assert "Completed" in told["result"]
    assert types("show", "--json").json["state"] == "Completed"
    assert types("cancel", "--all", "--json").json["runs"] == []


# diff


def test_two_runs_are_compared_metric_by_metric(workspace, types):
    first = logged(workspace, loss=0.5, files=["a.txt"])
    second = logged(workspace, loss=0.25, files=["b.txt"])
    found = types("diff", "--json").json
    assert (found["a"], found["b"]) == (first.id, second.id)
    assert found["metrics"] == {"loss": [0.5, 0.25]}
    text = types("diff", first.id, second.id).out
    assert "- loss 0.5" in text
    assert "+ loss 0.25" in text
    titles = [f"{run.short_name} ({run.id})" for run in (first, second)]
    assert text.index(f"--- {titles[0]}") < text.index(f"+++ {titles[1]}")


def test_runs_that_are_alike_end_with_zero(workspace, types):
    logged(workspace, loss=0.5)
    logged(workspace, loss=0.5)
    assert types("diff", "--exit-code").code == 0
    logged(workspace, loss=0.75)
    assert types("diff", "--exit-code").code == 1
    assert types("diff").code == 0


def test_a_run_is_not_compared_with_itself(workspace, types):
    assert types("diff").code == 2
    run = logged(workspace)
    for words in ([], [run.id]):
        assert types("diff", *words).code == 2


@pytest.mark.parametrize(
    ("pair", "lines"),
    [
        (("1", "2"), ["- x 1", "+ x 2"]),
        ((None, "2"), ["+ x 2"]),
        (("1", None), ["- x 1"]),
        (("same", "same"), ["~ x same"]),
    ],
)
def test_lines_of_a_difference(capsys, pair, lines):
    diff._print_section("title", {"x": pair})
    assert capsys.readouterr().out.splitlines() == ["", "title", *lines]


def test_a_section_without_differences_is_not_there(capsys):
    diff._print_section("title", {})
    assert capsys.readouterr().out == ""


# models and where they come from


def kept(text="weights", name="model.bin"):
    Path(name).write_text(text)
    return name


@pytest.mark.parametrize(
    "words",
    [("model", "register", "m", "made"), ("data", "upload", "made", "workspaceblobstore:x")],
)
def test_links_that_are_left_out_are_named_once(workspace, types, words):
    Path("made").mkdir()
    Path("made/file").write_text("1")
    Path("made/up").symlink_to("..")
    done = types(*words)
    assert done.code == 0
    assert done.err.count("up (it leads to a folder that contains it)") == 1
    assert done.err.startswith("warning: ") and "UserWarning" not in done.err


def test_a_model_is_registered_listed_shown_and_copied(workspace, types, tmp_path):
    done = types("model", "register", "digits", kept("w"), "--tag", "a=b=c", "--json").json
    assert (done["name"], done["version"], done["tags"]) == ("digits", 1, {"a": "b=c"})
    types("model", "register", "digits", kept("w2"))
    (latest,) = types("model", "list", "--json").json["models"]
    assert latest["version"] == 2
    assert len(types("models", "list", "digits", "--json").json["models"]) == 2
    assert [
        e["version"]
        for e in types("model", "list", "digits", "--tag", "a", "--json").json["models"]
    ] == [1]
    assert types("model", "list", "digits", "--tag", "a=x", "--json").json["models"] == []
    text = types("model", "show", "digits:1").out
    assert "a=b=c" in text
    assert "model.bin" in text
    place = Path(
        types("model", "download", "digits:1", str(tmp_path / "to"), "--json").json["path"]
    )
    assert place.read_text() == "w"
    again = types("model", "download", "digits:2", str(tmp_path / "to"))
    assert (again.code, place.read_text()) == (2, "w")
    assert types("model", "download", "digits:2", str(tmp_path / "to"), "--force").code == 0
    assert place.read_text() == "w2"


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nothing"],
        ["show", "digits:9"],
        ["show", "digits:x"],
        ["download", "digits:9"],
        ["remove", "digits"],
        ["remove", "digits:9"],
        ["register", "digits", "gone.bin"],
        ["register", "digits", "model.bin", "--tag", "bare"],
        ["register", "digits", "model.bin", "--run", "gone"],
        ["list", "--run", "gone"],
    ],
)
def test_what_is_no_model_is_refused_and_leaves_the_rest(workspace, types, words):
    types("model", "register", "digits", kept())
    assert types("model", *words).code == 2
    assert [m.version for m in Model.list(workspace, "digits")] == [1]


def test_a_deleted_version_is_gone(workspace, types):
    types("model", "register", "digits", kept("1"))
    types("model", "register", "digits", kept("2"))
    assert types("model", "remove", "digits:2").code == 0
    assert [each["version"] for each in types("model", "list", "--json").json["models"]] == [1]


def test_a_refused_model_makes_no_workspace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["model", "register", "digits", "gone.bin"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_model_knows_the_run_that_left_it(workspace, types):
    run = logged(workspace, files=["model.bin"])
    types("model", "register", "digits", "outputs/model.bin", "--run", run.id)
    types("model", "register", "other", kept())
    assert [
        m["name"] for m in types("model", "list", "--run", run.id, "--json").json["models"]
    ] == ["digits"]
    assert run.id in types("lineage", "digits").out
    assert types("lineage", "digits:1", "--json").json["run"]["id"] == run.id
    assert types("lineage", "other", "--json").json["run"] is None
    assert types("lineage", "other").code == 0
    assert types("lineage", "nothing").code == 2


def test_a_run_that_is_gone_is_said_to_be(workspace):
    assert "x_1" in dict(lineage._run_facts({"id": "x_1", "gone": True}))["run"]


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ({"name": "a", "version": 2, "id": "i"}, "a:2 i"),
        ({"name": "a", "version": 2}, "a:2"),
        ({"name": None, "version": None, "id": "i"}, "unregistered:None i"),
    ],
)
def test_names_of_datasets(dataset, text):
    assert lineage._format_dataset(dataset) == text


# export


def test_one_file_is_printed_and_written_where_it_shall_be(tmp_path, capsys):
    target = tmp_path / "new" / "job.sh"
    export._write({"run.sh": "echo\n"}, target)
    assert target.read_text() == "echo\n"
    assert capsys.readouterr().out == f"{target}\n"
    export._write({"run.sh": "echo 2\n"}, tmp_path)
    assert (tmp_path / "run.sh").read_text() == "echo 2\n"


def test_several_files_go_to_a_folder(tmp_path, capsys):
    export._write({"a": "1", "b": "2"}, tmp_path / "job")
    assert {p.name: p.read_text() for p in (tmp_path / "job").iterdir()} == {"a": "1", "b": "2"}
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_file_in_the_way_of_a_folder_is_a_sentence(workspace, types):
    Path("taken").write_text("")
    Path("x.runconfig").write_text("script: train.py\nframework: Python\n")
    Path("train.py").write_text("")
    done = types("export", "--config", "x.runconfig", "--to", "shell", "-o", "taken/job.sh")
    assert done.code == 2
    assert "taken" in done.err


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_run_configuration_is_written_in_every_format(workspace, types, form):
    Path(".azureml").mkdir(exist_ok=True)
    Path(".azureml/x.runconfig").write_text(
        "script: train.py\nframework: Python\narguments: ['--name', \"it's\"]\n"
    )
    Path("train.py").write_text("")
    made = types("export", "--config", ".azureml/x.runconfig", "--to", form, "--json").json
    assert made["files"]
    assert "train.py" in "".join(made["files"].values())


def test_a_run_configuration_is_exported_where_nothing_can_run_it(workspace, types):
    """Its containers and its GPUs need not be on the machine that exports it."""
    Path("x.runconfig").write_text(
        "script: train.py\nenvironment: {docker: {enabled: true, baseImage: 'ubuntu:22.04'}}\n"
    )
    Path("train.py").write_text("")
    assert "container" in types("run", "--config", "x.runconfig").err
    made = types("export", "--config", "x.runconfig", "--to", "docker", "--json").json
    assert "ubuntu:22.04" in "".join(made["files"].values())


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="only where pipes have paths")
@pytest.mark.parametrize("words", [("run", "--plan"), ("export", "--to", "shell")])
def test_a_run_configuration_may_come_through_a_pipe(workspace, types, words):
    """As from ``--config <(command)``; paths in it are relative to the current directory."""
    Path("train.py").write_text("")
    ours, theirs = os.pipe()
    os.write(theirs, b"script: train.py\n")
    os.close(theirs)
    try:
        made = types(*words, "--config", f"/dev/fd/{ours}", "--json")
    finally:
        os.close(ours)
    assert made.code == 0 and "train.py" in made.out


@pytest.mark.parametrize(
    "words",
    [
        ("train.py",),
        ("./train.py",),
        ("train.py", "--", "--a", "1"),
        ("--compute", "local"),
        ("--compute", "local", "train.py"),
        ("--nodes", "1"),
    ],
)
def test_what_equals_the_file_is_no_conflict(workspace, types, words):
    _write_runconfig()
    options = () if "--compute" in words else ("--compute", "local")
    assert types("run", "--dry-run", "-c", "mine", *options, *words).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "elsewhere/.azureml/mine.runconfig"),
        ("-c", "elsewhere/mine"),
        ("-c", "mine", "--source", "elsewhere"),
    ],
)
def test_a_file_of_another_project_runs_there(workspace, types, words):
    project = Path("elsewhere")
    _write_runconfig(folder=project)
    (project / "mine.runconfig").write_text((project / ".azureml/mine.runconfig").read_text())
    plan = types("run", "--dry-run", "--compute", "local", "--json", *words).json
    assert Path(plan["source"]) == project.absolute()
    Path("train.py").write_text("")  # the current directory's own script comes first
    if "--source" not in words:
        plan = types("run", "--dry-run", "--compute", "local", "--json", *words).json
        assert Path(plan["source"]) == Path.cwd()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("other.py",), "the script 'other.py' conflicts with 'train.py' in mine"),
        (("train.py", "--", "--b"), "arguments ['--b'] conflicts with ['--a', 1] in mine"),
        (("--command", "ls"), "--command 'ls' conflicts with 'train.py' in mine"),
        (("--nodes", "2", "--mpi"), "conflicts with 3 in mine"),
    ],
)
def test_what_differs_from_the_file_names_both(workspace, types, words, sentence):
    _write_runconfig("nodeCount: 3\n" if "--nodes" in words else "")
    done = types("run", "--dry-run", "-c", "mine", *words)
    assert done.code == 2
    assert sentence in done.err


def test_an_environment_without_a_name_conflicts_as_such(workspace, types):
    _write_runconfig("environment:\n  python:\n    userManagedDependencies: true\n")
    Path("requirements.txt").write_text("")
    done = types("run", "--dry-run", "-c", "mine", "--requirements", "requirements.txt")
    assert done.code == 2
    assert "--requirements conflicts with the environment in mine" in done.err


@pytest.mark.parametrize("ending", ["runconfig", "json"])
def test_a_name_is_looked_for_in_the_source_directory_too(workspace, types, ending):
    Path("src/.azureml").mkdir(parents=True)
    Path("src/train.py").write_text("")
    text = '{"script": "train.py", "arguments": ["--own"], "target": "local"}'
    Path(f"src/.azureml/there.{ending}").write_text(text)
    done = types("run", "--plan", "--json", "--source", "src", "-c", "there")
    assert done.code == 0 and "--own" in done.out
    assert types("run", "--plan", "--source", "src", "-c", "nowhere").code == 2


def _write_runconfig(more="", folder=Path()):
    (folder / ".azureml").mkdir(exist_ok=True, parents=True)
    (folder / ".azureml/mine.runconfig").write_text(
        f"script: train.py\narguments: [--a, 1]\ntarget: gpu-cluster\n{more}"
    )
    (folder / "train.py").write_text("")


# other systems' jobs


def test_a_job_is_read_and_printed_as_python(workspace, types):
    Path("MLproject").write_text(
        "name: x\nentry_points:\n  main:\n    parameters:\n      alpha: float\n"
        '    command: "python train.py --alpha {alpha}"\n'
    )
    Path("train.py").write_text("")
    done = types("import", "MLproject", "--param", "alpha=0.5", "--json").json
    compile(done["code"], "submit.py", "exec")
    assert "0.5" in done["code"]
    assert types("import", "MLproject", "--param", "alpha").code == 2
    assert types("import", "gone.yml").code == 2


def test_nothing_is_nothing_to_run(workspace, types):
    assert types("exec").code == 2
    assert types("exec", "--check").code == 2
    assert types("exec", "gone.py").code == 2
    for option in ("--check", "--install-kernel"):
        assert "cannot be used together" in types("exec", "--python", "3.12", option).err


def test_what_is_not_provided_is_listed(workspace, types):
    Path("good.py").write_text("from azureml.core import Run\n")
    Path("bad.py").write_text("from azureml.train.automl import AutoMLConfig\nAutoMLConfig()\n")
    assert types("exec", "--check", "good.py").code == 0
    done = types("exec", "--check", "bad.py")
    assert done.code == 1
    assert "bad.py:1" in done.out


# secrets, the workspace


def test_a_secret_is_named_and_its_value_never_shown(workspace, types, monkeypatch):
    import io
    import sys

    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(sys, "stdin", io.StringIO(" s3cr3t \n"))
    done = types("secret", "set", "storage-key")
    assert (done.code, "s3cr3t" in done.out + done.err) == (0, False)
    monkeypatch.setattr(sys, "stdin", io.StringIO("own"))
    assert types("secret", "set", "mine", "--workspace").code == 0
    assert {each["name"] for each in types("secret", "list", "--json").json["secrets"]} == {
        "storage-key",
        "mine",
    }
    assert types("secret", "remove", "mine").code == 2
    assert types("secret", "remove", "mine", "--workspace").code == 0
    assert types("secret", "remove", "storage-key").code == 0
    assert types("secret", "list", "--json").json["secrets"] == []
    kept = [p.read_bytes() for p in workspace.root.rglob("*") if p.is_file()]
    assert not any(b"s3cr3t" in each for each in kept)


def test_an_empty_secret_is_refused(workspace, types, monkeypatch):
    import io
    import sys

    for value in ("", " \n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(value))
        assert types("secret", "set", "x").code == 2
    assert types("secret", "list", "--json").json["secrets"] == []


def test_a_workspace_is_made_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "größe").mkdir()
    monkeypatch.chdir(tmp_path / "größe")
    ids = []
    for _ in range(2):
        assert main(["init", "--json"]) == 0
        ids.append(json.loads(capsys.readouterr().out))
    assert ids[0] == ids[1]
    assert Path(ids[0]["path"]) == tmp_path / "größe"
    assert main(["init", "another"]) == 2


def test_the_version_is_that_of_the_package(types):
    import scriptrun

    assert types("version").out == f"scriptrun {scriptrun.__version__}\n"
    assert types("--version").out == types("version").out


# compute and caches


def test_targets_are_added_set_shown_and_removed(workspace, types):
    assert types("compute", "add", "small", "--local", "--max-runs", "2").code == 0
    assert types("compute", "add", "small", "--local").code == 2
    assert types("compute", "set", "small", "--max-runs", "3").code == 0
    told = types("compute", "show", "small", "--json").json
    assert (told["class"], told["options"]) == ("Local", {"max_runs": 3})
    assert types("compute", "default", "small", "--json").json == {"default": "small"}
    assert types("compute", "alias", "gpu-*", "small", "--json").json == {
        "aliases": {"gpu-*": "small"}
    }
    assert types("compute", "show", "gpu-9", "--json").json["name"] == "small"
    assert types("compute", "alias", "cpu-*").code == 2
    assert types("compute", "alias", "cpu-*", "nowhere").code == 2
    assert types("compute", "set", "small", "--max-runs", "0").code == 2
    assert types("compute", "show", "nowhere").code == 2


def test_a_cache_is_pruned_by_size_and_age_only_when_asked(workspace, types):
    assert types("data", "cache", "--json").json["size"] == 0
    assert types("data", "cache", "--max-size", "1GB").code == 2
    assert types("data", "cache", "prune", "--max-size", "much").code == 2
    assert types("data", "cache", "prune", "--older-than", "long").code == 2
    assert types("data", "cache", "prune", "--json").json == {"freed": 0, "remaining": 0}
    assert types("env", "prune", "--keep", "-1").code == 2


def test_uploads_name_what_is_missing_and_what_collides(workspace, types, tmp_path):
    for path in ("one/a.txt", "two/a.txt"):
        Path(path).parent.mkdir()
        Path(path).write_text(path)
    for folder in (Path("empty"), tmp_path / "store"):
        folder.mkdir()
    types("datastore", "add", "store", "--local", str(tmp_path / "store"))
    both = types("data", "upload", "one", "two", "store:x")
    assert both.code == 2
    assert "a.txt" in both.err
    gone = types("data", "upload", "gone1", "one", "gone2", "store:x")
    assert (gone.code, "gone1" in gone.err, "gone2" in gone.err) == (2, True, True)
    assert types("data", "upload", "empty", "store:x").code == 2
    assert types("data", "upload", "one", "elsewhere").code == 2
    done = types("data", "upload", "one", "store:x", "--json").json
    assert (done["files"], done["skipped"]) == (1, 0)
    again = types("data", "upload", "two", "store:x", "--json").json
    assert (again["files"], again["skipped"]) == (0, 1)
    back = types("data", "download", "store:x", "back", "--json").json
    assert back["files"] == 1
    assert [p.read_text() for p in Path("back").rglob("a.txt")] == ["one/a.txt"]
    assert types("data", "download", "store:x", "back").code == 2
