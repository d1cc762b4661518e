"""From data references to datasets: only where the job gets the same, and the reason where not."""

from __future__ import annotations

import json

import pytest
from tests.migration.versions import migrated

from scriptrun import Dataset, Datastore, Experiment, ScriptRunConfig, Workspace
from scriptrun.migration.proof import prove

START = """\
from azureml.core import Workspace, ScriptRunConfig, Experiment
from azureml.data.data_reference import DataReference
from azureml.train.estimator import Estimator
ws = Workspace.from_config()
ds = ws.get_default_datastore()
"""
JOBS = """\
folder = ds.path('mnist/')
ref = folder.as_download()
params = {'--a': ds.path('one.txt').as_download(), '--b': ref, '--kept': ds.path('x').as_mount(),
          '--c': DataReference(datastore=ds, path_on_datastore='b/', mode='download')}
est = Estimator('src', compute_target='local', entry_script='train.py', script_params=params)
Experiment(ws, 'd').submit(est)
words = ['--data', ds.path(f'a{1}').as_download(path_on_compute='here')]
src = ScriptRunConfig('src', script='train.py', arguments=words)
Experiment(ws, 'd').submit(src)
"""


def test_downloads_become_datasets_and_are_proved(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("")
    text = START + JOBS
    made = migrated(text, "scriptrun")
    new = made.new.decode()
    for line in (
        "    '--a', Dataset.File.from_files((ds, 'one.txt'), validate=False).as_download(),\n"
        "    '--b', ref,\n",
        "ref = Dataset.File.from_files(folder, validate=False).as_download()",
        "'--c', Dataset.File.from_files((ds, 'b/'), validate=False).as_download(),\n]",
        "words = ['--data', Dataset.File.from_files((ds, f'a{1}'), validate=False)"
        ".as_download('here')]",
        "from scriptrun import DataReference, Dataset, Environment, ",
    ):
        assert line in new
    lines = [each.line for each in made.findings if "is now a dataset" in each.reason]
    assert lines == [7, 8, 9, 12]
    assert not migrated(new, "scriptrun").is_changed
    path = str(tmp_path / "submit.py")
    proof = prove.prove(path, text.encode(), made.new)
    assert (proof.standing, proof.jobs) == (prove.SAME, 2), str(proof)
    for old, other in (("'one.txt'", "'two.txt'"), ("'here'", "'there'"), ("mnist/", "mnist/*")):
        assert old in new
        proof = prove.prove(path, text.encode(), new.replace(old, other).encode())
        assert proof.standing == prove.DIFFERS, other


def test_azure_ml_hands_them_over_differently_and_keeps_them():
    assert b"from_files" not in migrated(START + JOBS, "azureml").new


@pytest.mark.parametrize(
    ("made", "reason", "advice"),
    [
        ("ds.path('a/').as_mount()", "may write", "from_files((ds, 'a/')).as_mount()"),
        ("ds.path('a/').as_upload()", "uploads", "OutputFileDatasetConfig("),
        ("ds.as_download()", "the datastore's", "from_files((ds, ''), validate=False)"),
        ("ds.path('a', 'n').as_download()", "('n')", "from_files(ds.path('a', 'n'), "),
        ("ds.path(path).as_download()", "it then has", "from_files((ds, path), "),
        ("ds.path('a').as_download('p', True)", "overwrite", "from_files((ds, 'a'), "),
        ("DataReference(datastore=ds, path_on_datastore='a/')", "may write", "((ds, 'a/'))"),
        ("DataReference(ds, 'n', mode='download')", "are uncertain", "Use keyword arguments."),
    ],
)
def test_what_is_not_certain_stays_and_says_why(made, reason, advice):
    text = f"{START}c = ScriptRunConfig('src', script='t.py', arguments=[{made}])\n"
    outcome = migrated(text, "scriptrun")
    assert made.encode() in outcome.new and b"from_files" not in outcome.new
    found = [each for each in outcome.findings if each.line == 6]
    assert [each.kind for each in found] == ["left alone"]
    assert reason in found[0].reason and advice in found[0].advice


def test_an_output_is_no_reference():
    out = "OutputFileDatasetConfig(destination=(ds, 'a')).as_upload(overwrite=True)"
    text = f"{START}from azureml.data import OutputFileDatasetConfig\nout = {out}\n"
    outcome = migrated(text, "scriptrun")
    assert out.encode() in outcome.new
    assert not [each for each in outcome.findings if "uploads" in each.reason]


@pytest.mark.parametrize(
    "used",
    [
        "c = ScriptRunConfig('src', script='t.py', arguments=[str(ref)])",
        "c.run_config.data_references = {'x': ref.to_config()}",
        "step = PythonScriptStep(arguments=[ref])",
        "folder.as_mount()",
        "",
    ],
)
def test_what_is_used_otherwise_stays(used):
    text = f"{START}folder = ds.path('a/')\nref = folder.as_download()\n{used}\n"
    outcome = migrated(text, "scriptrun")
    assert b"from_files" not in outcome.new
    assert any(each.line == 7 and each.kind == "left alone" for each in outcome.findings)


LOOKS = """
import json, os, sys
def below(place):
    if os.path.isfile(place):
        return os.path.basename(place)
    return sorted(os.path.relpath(os.path.join(folder, name), place)
                  for folder, _, names in os.walk(place) for name in names)
json.dump([below(each) for each in sys.argv[1:]], open("outputs/seen.json", "w"))
"""


def test_a_job_gets_the_same_from_both(tmp_path):
    """The ground that the rewriting stands on: of many files, one in a folder, and one alone."""
    workspace = Workspace.create("both", path=tmp_path / "workspace")
    for name in ("many/a", "many/deep/b", "one/deep/a", "alone"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text(name)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(LOOKS)
    store = Datastore.register_local(workspace, "mine", tmp_path / "mine")
    paths = ("many", "one/", "alone", "one/*/a", "many/**")
    old = [store.path(path).as_download() for path in paths]
    new = [Dataset.File.from_files((store, path), validate=False).as_download() for path in paths]
    config = ScriptRunConfig(
        tmp_path / "src", "train.py", arguments=[*old, *new], compute_target="local"
    )
    run = Experiment(workspace, "both").submit(config)
    run.wait_for_completion()
    seen = json.loads((run.path / "outputs" / "seen.json").read_text())
    assert seen[: len(old)] == seen[len(old) :]
    assert seen[:3] == [["a", "deep/b"], ["deep/a"], "alone"]
