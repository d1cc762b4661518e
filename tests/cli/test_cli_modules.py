"""Each command's module, called with parsed words: what it gives, prints, and refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from wheel_making import make_wheel

import scriptrun
import scriptrun.__main__
from scriptrun import Dataset, ScriptRunConfig
from scriptrun.cli import (
    data,
    datastore,
    dispatch,
    doctor,
    env,
    import_job,
    init,
    model,
    secret,
    version,
    workspace_here,
)
from scriptrun.cli import exec as exec_command
from scriptrun.cli import run as run_command
from scriptrun.cli.data import cache, mount, register, show, transfer
from scriptrun.cli.env import build as env_build
from scriptrun.cli.env import registry as env_registry
from scriptrun.cli.env import show as env_show
from scriptrun.cli.runs import after_submit, cancel, download, logs, rerun, shell
from scriptrun.cli.runs import show as run_show
from scriptrun.cli.terminal import plan_view
from scriptrun.core.experiment import Experiment
from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.submission import check


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = tmp_path / "work"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("w", path=root)


def _unnumbered(text):
    value = json.loads(text)
    assert value.pop("schema") == 1
    return value


def parsed(name, *words):
    return dispatch.parser_of(name, list(words)).parse(list(words))


@pytest.fixture
def does(capsys):
    """``does(module, command, word, ...)`` gives the exit code, what was printed, and JSON."""

    def run(module, name, *words):
        capsys.readouterr()
        code = module.run(parsed(name, *words))
        out = capsys.readouterr().out
        return code, out, _unnumbered(out) if "--json" in words else None

    return run


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["--version"], 0, scriptrun.__version__), (["nothing"], 2, "nothing")],
)
def test_the_module_is_the_command(words, code, said):
    name = scriptrun.__main__.__name__.removesuffix(".__main__")
    done = subprocess.run([sys.executable, "-m", name, *words], capture_output=True, text=True)
    assert done.returncode == code and said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_small_commands(workspace, does, tmp_path, monkeypatch):
    assert does(version, "version")[:2] == (0, f"scriptrun {scriptrun.__version__}\n")
    code, _, found = does(doctor, "doctor", "--json")
    found = found["checks"]
    assert code == (1 if any(each["verdict"] == "bad" for each in found) else 0) and found
    assert len(does(doctor, "doctor")[1].splitlines()) >= len(found)
    assert does(init, "init", "w", "--json")[2]["id"] == workspace.id
    with pytest.raises(ScriptrunError, match="'w'"):
        init.run(parsed("init", "another"))
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    assert does(init, "init", "--json")[2]["name"] == "new"


def test_a_file_is_imported_with_its_parameters(workspace, does):
    with open("MLproject", "w") as file:
        file.write(
            "name: p\nentry_points:\n  main:\n    parameters: {a: float}\n    command: 'python t.py {a}'\n"
        )
    code, out, _ = does(import_job, "import", "MLproject", "--param", "a=0.5=x")
    compile(out, "job", "exec")
    assert code == 0 and "0.5=x" in out
    assert does(import_job, "import", "MLproject", "--param", "a=1", "--json")[2]["code"]
    with pytest.raises(UserErrorException, match="Invalid parameter 'a'"):
        import_job.run(parsed("import", "MLproject", "--param", "a"))


def test_a_script_is_checked_run_and_missed(workspace, does):
    with open("s.py", "w") as file:
        file.write("from azureml.train.automl import AutoMLConfig\nAutoMLConfig('regression')\n")
    assert does(exec_command, "exec", "--check", "s.py")[0] == 1
    with open("t.py", "w") as file:
        file.write("import sys\nsys.exit(len(sys.argv))\n")
    assert does(exec_command, "exec", "--check", "t.py")[0] == 0
    done = subprocess.run([sys.executable, "-m", "scriptrun", "exec", "t.py", "--check", "-m"])
    assert done.returncode == 3
    for words in ([], ["--check"]):
        with pytest.raises(UserErrorException, match="Nothing to run"):
            exec_command.run(parsed("exec", *words))


def test_datastores_are_added_shown_checked_and_forgotten(workspace, does, tmp_path):
    (tmp_path / "files").mkdir()
    words = ("add", "mine", "--local", str(tmp_path / "files"))
    assert does(datastore, "datastore", *words, "--json")[2]["class"] == "Local"
    with pytest.raises(UserErrorException, match="'mine' already exists"):
        datastore.run(parsed("datastore", *words))
    assert does(datastore, "datastore", *words, "--overwrite")[0] == 0
    assert "mine" in does(datastore, "datastore")[1]
    assert does(datastore, "datastore", "default", "mine", "--json")[2] == {"default": "mine"}
    assert does(datastore, "datastore", "show", "--json")[2]["default"] is True
    assert does(datastore, "datastore", "check", "--json")[:1] == (0,)
    (tmp_path / "files").rmdir()
    (tmp_path / "files").write_text("")
    code, _, found = does(datastore, "datastore", "check", "mine", "--json")
    assert code == datastore.REFUSED and found["reasons"]
    does(datastore, "datastore", "remove", "mine")
    with pytest.raises(ScriptrunError, match="mine"):
        datastore.run(parsed("datastore", "show", "mine"))


def test_datasets_are_registered_listed_shown_and_moved(workspace, tmp_path, capsys):
    store = workspace.get_default_datastore()
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    words = parsed("data", "upload", str(tmp_path / "one.csv"), f"{store.name}:t")
    transfer.upload(workspace, words)
    source = f"{store.name}:t/*.csv"
    value, text = register.register(
        workspace, parsed("data", "register", "t", source, "--tag", "x")
    )
    assert (value["version"], value["files"]) == (1, 1) and "unchanged" not in text
    again = register.register(workspace, parsed("data", "register", "t", source, "--tag", "x"))
    assert again[0] == value and "unchanged" in again[1]
    transfer.upload(
        workspace, parsed("data", "upload", str(tmp_path / "two.csv"), f"{store.name}:t")
    )
    delimited = parsed("data", "register", "t", source, "--tabular", "delimited", "--no-header")
    assert register.register(workspace, delimited)[0]["version"] == 2
    listed, printed = show.list_all(workspace, parsed("data", "list"))
    printed()
    assert [(each["name"], each["version"]) for each in listed["datasets"]] == [("t", 2)]
    assert "t" in capsys.readouterr().out
    transfer.download(workspace, parsed("data", "download", "t@1", str(tmp_path / "to")))
    assert [path.name for path in (tmp_path / "to").rglob("*.csv")] == ["one.csv"]
    with pytest.raises(UserErrorException, match="tabular dataset and cannot be mounted"):
        mount.mount(workspace, parsed("data", "mount", "t", str(tmp_path / "m")))
    assert not (tmp_path / "m").exists()
    assert does_verb(data, capsys, "data", "show", "t@1", "--json")["version"] == 1


def does_verb(module, capsys, name, *words):
    capsys.readouterr()
    assert module.run(parsed(name, *words)) == 0
    return _unnumbered(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--separator", ";"], "--separator requires --tabular delimited"),
        (["--no-header", "--tabular", "json"], "--no-header requires"),
        (["--partition-format", "{a}"], "--partition-format requires --tabular"),
    ],
)
def test_what_does_not_belong_to_a_format_is_refused(workspace, words, said):
    with pytest.raises(ScriptrunError, match=said):
        register.register(workspace, parsed("data", "register", "t", "x", *words))
    assert Dataset.get_all(workspace) == {}


def test_the_cache_is_measured_and_emptied(workspace):
    value, _ = cache.cache(workspace, parsed("data", "cache"))
    assert value["size"] == 0 and value["limit"] > 0
    for words in (["--max-size", "1GB"], ["list", "--older-than", "3d"]):
        with pytest.raises(UserErrorException, match="require `prune`"):
            cache.cache(workspace, parsed("data", "cache", *words))
    assert cache.cache(workspace, parsed("data", "cache", "prune"))[0] == {
        "freed": 0,
        "remaining": 0,
    }
    with pytest.raises(ScriptrunError, match="--older-than"):
        cache.cache(workspace, parsed("data", "cache", "prune", "--older-than", "soon"))


def test_what_a_cached_environment_cannot_import_is_said_again(workspace, does, tmp_path, capsys):
    make_wheel(tmp_path / "wheels", "broken", code="raise ValueError('no')\n")
    with open("r.txt", "w") as file:
        file.write(f"--no-index\n--find-links {tmp_path / 'wheels'}\nbroken\n")
    words = parsed("env", "build", "--requirements", "r.txt")
    env_build.build(workspace, words)
    capsys.readouterr()
    value, text = env_build.build(workspace, words)
    assert text.endswith("(cached)") and len(value["failed_imports"]) == 1
    assert "broken 1.0 fails to import" in capsys.readouterr().err


def test_environments_are_listed_planned_aliased_and_shared(workspace, does, capsys):
    with open("r.txt", "w") as file:
        file.write("six==1.16.0\n")
    words = parsed("env", "build", "--requirements", "r.txt", "--plan", "--upgrade")
    value, _ = env_build.build(workspace, words)
    assert not value["locked"] and "again" in value["steps"][0]
    with pytest.raises(UserErrorException, match="No environment specified"):
        env_build.build(workspace, parsed("env", "build"))
    with pytest.raises(UserErrorException, match="at least 0"):
        env_build.prune(workspace, parsed("env", "prune", "--keep", "-1"))
    assert env_build.prune(workspace, parsed("env", "prune", "--dry-run"))[0]["removed"] == []
    with pytest.raises(UserErrorException, match="missing the environment"):
        env_build.alias(workspace, parsed("env", "alias", "a"))
    aliases = env_build.alias(workspace, parsed("env", "alias", "a", "scriptrun-pytorch"))[0]
    assert aliases == {"aliases": {"a": "scriptrun-pytorch"}}
    named = {each["name"]: each["kind"] for each in does(env, "env", "list", "--json")[2]["named"]}
    assert named["a"].startswith("alias of")
    removed = env_build.alias(workspace, parsed("env", "alias", "a", "--remove"))
    assert removed == ({"aliases": {}}, "None.")
    with pytest.raises(ScriptrunError, match="is not locked"):
        env_show.diff(workspace, parsed("env", "diff", "scriptrun-pytorch", "scriptrun-pytorch"))
    assert "No registry" in env_registry.registry(workspace, parsed("env", "registry"))[1]
    words = parsed("env", "registry", "r.example.org/team", "--username", "u")
    value, text = env_registry.registry(workspace, words)
    assert value["registry"]["address"] == "r.example.org/team" and "scriptrun secret set" in text
    removed = env_registry.registry(workspace, parsed("env", "registry", "--remove"))
    assert removed[0] == {"registry": None}


def test_models_are_removed_by_version_only(workspace, does, tmp_path):
    (tmp_path / "m.bin").write_text("x")
    words = ("register", "m", str(tmp_path / "m.bin"), "--tag", "a=b=c", "--json")
    assert does(model, "model", *words)[2]["tags"] == {"a": "b=c"}
    assert does(model, "model", "list", "--tag", "a=b=c", "--json")[2]["models"][0]["name"] == "m"
    assert does(model, "model", "list", "--tag", "a=b", "--json")[2] == {"models": []}
    with pytest.raises(UserErrorException, match="requires a version"):
        model.run(parsed("model", "remove", "m"))
    with pytest.raises(UserErrorException, match="Invalid tag 'a'"):
        model.run(parsed("model", "register", "m", "x", "--tag", "a"))
    assert does(model, "model", "remove", "m:1")[0] == 0 and Model.list(workspace) == []


def test_secrets_of_a_workspace_are_its_own(workspace, does, monkeypatch):
    for words, value in ((["both"], "mine\n"), (["both", "--workspace"], "ours\n")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(value))
        assert secret.run(parsed("secret", "set", *words)) == 0
    assert [each["name"] for each in does(secret, "secret", "list", "--json")[2]["secrets"]] == [
        "both"
    ] * 2
    assert does(secret, "secret", "remove", "both")[0] == 0
    with pytest.raises(UserErrorException, match="'both' not found") as caught:
        secret.run(parsed("secret", "remove", "both"))
    assert "--workspace" in caught.value.hint
    assert does(secret, "secret", "remove", "both", "--workspace", "--json")[2] == {
        "removed": "both"
    }
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserErrorException, match="is empty"):
        secret.run(parsed("secret", "set", "x"))


# runs


@pytest.fixture
def ran(workspace):
    """A run that has completed, with an output, a metric and two lines of log."""
    source = workspace.root / "src"
    source.mkdir()
    (source / "t.py").write_text(
        "from azureml.core import Run\nRun.get_context().log('m', 1)\n"
        "open('outputs/a.txt', 'w').write('x')\nprint('one')\nprint('two')\n"
    )
    config = ScriptRunConfig(str(source), "t.py", ["a b"], compute_target="local")
    run = Experiment(workspace, "first").submit(config)
    run.wait_for_completion()
    return run


def test_a_run_that_is_over(ran, does, tmp_path, capsys):
    assert does(logs, "logs", ran.id)[:2] == (0, "one\ntwo\n")
    assert does(logs, "logs", ran.id, "-t", "1")[1] == "two\n"
    assert does(logs, "logs", ran.id, "-f")[0] == 0
    assert does(cancel, "cancel", ran.id)[1] == (
        f"{ran.short_name} ({ran.id}): already finished: Completed\n"
    )
    assert does(cancel, "cancel", "--all", "--json")[2] == {"runs": []}
    code, _, found = does(run_show, "show", ran.id, "--json")
    assert code == 0 and ran.id in json.dumps(found)
    assert does(download, "download", ran.id, "-o", str(tmp_path / "to"))[0] == 0
    assert [path.read_text() for path in (tmp_path / "to").rglob("a.txt")] == ["x"]
    verdict = does(rerun, "rerun", ran.id, "--verify", "--json")
    assert (verdict[0], verdict[2]["rerun_of"]) == (0, ran.id)
    args = parsed("rerun", ran.id, "--detach", "--json")
    capsys.readouterr()
    assert after_submit.finish(ran.workspace, ran.path, ["mind this"], args) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["id"] == ran.id and "mind this" in told.err


def test_a_shell_has_the_snapshot_and_gives_its_own_exit_code(ran, does, tmp_path):
    place = tmp_path / "seen"
    look = f"pwd > {place}; ls t.py >> {place}; touch mine; exit 7"
    assert does(shell, "shell", ran.id, "--", "sh", "-c", look)[0] == 7
    folder, name = place.read_text().split()
    assert name == "t.py" and not os.path.exists(folder)
    assert does(shell, "shell", ran.id, "--", "sh", "-c", "kill -9 $$")[0] == 137
    assert does(shell, "shell", ran.id, "--", "no-such-program-here")[0] == 2


def test_a_plan_cuts_long_lists_and_writes_nothing(workspace, capsys):
    source = workspace.root / "src"
    source.mkdir()
    for number in range(plan_view.MAX_LINES + 5):
        (source / f"f{number:02}.py").write_text("")
    config = ScriptRunConfig(str(source), "f00.py", compute_target="local")
    submission = check.check(config, workspace, "first", None)
    more = {"extra": [str(number) for number in range(plan_view.MAX_LINES + 2)], "empty": []}
    assert plan_view.show(submission, workspace, False, more) == 0
    out = capsys.readouterr().out
    assert "25 files" in out and "and 5 more" in out and "and 2 more" in out and "empty" not in out
    assert plan_view.show(submission, workspace, True, more) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["files"]) == 25 and len(found["extra"]) == 22
    assert not list(workspace.runs_folder.rglob("job.json"))


def test_a_plan_of_a_first_run_makes_no_workspace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text("")
    assert run_command.run(parsed("run", "--plan", "--json", "t.py", "--", "a")) == 0
    assert json.loads(capsys.readouterr().out)["files"]
    with pytest.raises(ScriptrunError):
        run_command.run(parsed("run", "--plan", "missing.py"))
    assert [path.name for path in tmp_path.iterdir()] == ["t.py"]
    assert not workspace_here.exists(workspace_here.current())
    with pytest.raises(ScriptrunError, match="No workspace"):
        cancel.run(parsed("cancel"))
