"""What a script asks of its workspace where its own Python has no scriptrun: the helper answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import old_pythons
import pytest

from scriptrun import Dataset, Datastore, Environment, Experiment, ScriptRunConfig, Workspace
from scriptrun.runtime.injob.errors import WebserviceException
from scriptrun.testing.jobs import PATIENCE, until

BEGIN = "from scriptrun import Run, Dataset, Datastore\nrun = Run.get_context()\nws = run.experiment.workspace\n"
#: a table with what is lost on the way most easily
LINES = 'n,x,text,flag,when,gaps\n1,0.1,"a,""b""",true,2020-01-02T03:04:05,7\n2,-1e300,\\N,false,2021-01-01T00:00:00,\n3,0.30000000000000004,  ü€,true,2021-06-01T12:00:00,9\n'


@pytest.fixture
def places(job, monkeypatch, tmp_path):
    """The job's workspace, and the variables with which its script finds the helper."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    workspace = Workspace.create("ws", path=job.root / "ws", exist_ok=True)
    names = ("SCRIPTRUN_CACHE", "SCRIPTRUN_RUNTIME", "SCRIPTRUN_SLOTS", "SCRIPTRUN_SECRETS")
    variables = {name: os.environ[name] for name in names}
    variables["SCRIPTRUN_WORKSPACE"] = str(workspace.root)
    variables["SCRIPTRUN_TOOL"] = json.dumps([sys.executable, "-P"])
    variables["AZUREML_ARM_WORKSPACE_NAME"] = "ws"
    return workspace, variables


def given(job, **section):
    """Put data into the job's record."""
    path = job.folder / "job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": section}))


def table(workspace, tmp_path, text=LINES):
    (tmp_path / "table.csv").write_text(text, "utf-8")
    made = Dataset.Tabular.from_delimited_files(str(tmp_path / "table.csv"))
    return made.register(workspace, "table", tags={"kind": "small"})


def test_datastores_and_datasets(job, python, places, tmp_path):
    workspace, variables = places
    table(workspace, tmp_path)
    Datastore.register_local(workspace, "here", str(tmp_path))
    out = job.run(
        python,
        BEGIN
        + """
import datetime
assert ws.get_default_datastore().name == 'workspaceblobstore'
assert sorted(ws.datastores) == ['here', 'workspaceblobstore', 'workspacefilestore']
found = Dataset.get_by_name(ws, 'table')
assert (found.name, found.version, found.tags) == ('table', 1, {'kind': 'small'})
assert found.data_changed_time.tzinfo is not None and found.data_changed_time.year >= 2020
assert list(ws.datasets) == ['table'] and ws.datasets['table'].id == found.id
assert 'TabularDataset' in repr(found) and bool(found)
files = Dataset.File.from_files((Datastore.get(ws, 'here'), ['table.csv']))
assert files.to_path() == ['/table.csv']
files = Dataset.File.from_files(path=[(ws.datastores['here'], '*.csv')])
with files.mount() as context:
    import os; print(os.listdir(context.mount_point))
assert files.download('copy') and open('copy/table.csv', encoding='utf-8').read().startswith('n,x')
first, rest = files.random_split(percentage=1.0, seed=3)
assert first.to_path() == ['/table.csv']
""",
        **variables,
    )
    assert out.strip() == "['table.csv']"


def test_errors_are_those_of_scriptrun_itself(job, python, places, tmp_path):
    _, variables = places
    job.run(
        python,
        BEGIN
        + """
from scriptrun.exceptions import UserErrorException
for ask, kind, words in [
    (lambda: Dataset.get_by_name(ws, 'nothing'), UserErrorException, "Dataset 'nothing' not found"),
    (lambda: Datastore.get(ws, 'nothing'), UserErrorException, "Datastore 'nothing' not found"),
    (lambda: run.input_datasets['nothing'], KeyError, 'available: none'),
    (lambda: ws.nonsense, AttributeError, 'nonsense'),
    (lambda: ws._facts, AttributeError, '_facts'),
    (lambda: Dataset.get_by_name(ws), TypeError, 'name'),
    (lambda: Dataset.get_by_name(ws, object()), TypeError, 'Cannot pass'),
]:
    try: ask()
    except kind as error: assert words in str(error), error
    else: raise AssertionError(words)
assert not hasattr(ws, 'nonsense') and hasattr(ws, 'datastores')
""",
        **variables,
    )


def test_inputs_by_name(job, python, places, tmp_path):
    workspace, variables = places
    pin = table(workspace, tmp_path).pin(workspace)
    inputs = [
        {"name": "photos", "mode": "mount"},
        {"name": "table", "mode": "direct", "dataset": pin},
        {
            "name": "unnamed",
            "mode": "direct",
            "dataset": {**pin, "id": "of-nobody", "name": None, "version": None},
        },
    ]
    given(job, inputs=inputs, outputs=[{"name": "results"}])
    (tmp_path / "table.csv").write_text("n,x\n9,9\n")
    out = job.run(
        python,
        BEGIN
        + """
assert run.input_datasets['photos'] == '/data/photos' and 'photos' in run.input_datasets
assert sorted(run.input_datasets) == ['photos', 'table', 'unnamed']
assert run.input_datasets.get('other') is None
assert run.output_datasets['results'] == '/data/results'
found = run.input_datasets['table']
print(found.name, found.version)
same = Dataset.get_by_id(ws, id='of-nobody')  # as a table comes in the arguments
assert same.name is None and same.id
try: found.to_pandas_dataframe()
except ImportError as error: print(error)
except Exception as error: print('pandas', error)
""",
        AZUREML_DATAREFERENCE_photos="/data/photos",
        AZUREML_DATAREFERENCE_results="/data/results",
        **variables,
    )
    assert out.splitlines()[0] == "table 1"
    assert "Add pandas to its packages" in out or "has changed" in out


def test_a_process_and_its_child_have_helpers_of_their_own(job, python, places, tmp_path):
    workspace, variables = places
    table(workspace, tmp_path)
    out = job.run(
        python,
        BEGIN
        + """
import os, threading
from scriptrun.exceptions import UserErrorException
found = Dataset.get_by_name(ws, 'table')
answers = []
threads = [threading.Thread(target=lambda: answers.append(found.version)) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
assert answers == [1] * 8
child = os.fork()
if child == 0:
    code = 1
    try:
        try: found.version
        except UserErrorException as error: assert 'another process' in str(error)
        code = 0 if Dataset.get_by_name(ws, 'table').version == 1 else 2
    finally: os._exit(code)
assert os.waitpid(child, 0)[1] == 0
assert found.version == 1
print('good')
""",
        **variables,
    )
    assert out == "good\n"


def test_a_helper_that_cannot_start_and_one_that_was_killed(job, python, places, tmp_path):
    _, variables = places
    job.run(
        python,
        BEGIN
        + """
import json, os, signal
from scriptrun.runtime.injob import proxy_process as helper
from scriptrun.exceptions import UserErrorException
assert ws.get_default_datastore().name
os.kill(helper.helper('')._process.pid, signal.SIGKILL)
try: ws.get_default_datastore()
except UserErrorException as error: assert 'exited' in str(error)
else: raise AssertionError
assert ws.get_default_datastore().name  # a new one
helper._started.clear()
os.environ['SCRIPTRUN_TOOL'] = json.dumps(['/nowhere/python'])
try: ws.get_default_datastore()
except UserErrorException as error: assert '/nowhere/python' in str(error), error
else: raise AssertionError
""",
        **variables,
    )


def test_it_ends_with_the_script_even_when_that_is_killed(job, python, places, tmp_path):
    _, variables = places
    process = job.start(
        python,
        BEGIN
        + "import os, signal\nfrom scriptrun.runtime.injob import proxy_process as helper\nws.get_default_datastore()\n"
        "print(helper.helper('')._process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n",
        **variables,
    )
    pid = int(process.stdout.readline())
    process.communicate(timeout=PATIENCE)
    until(lambda: "State:\tZ" in state(pid), "the helper lives on")


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "State:\tZ"


PANDAS = """
import sys
sys.path.insert(0, {runtime!r})
{before}
from scriptrun import Run
ds = Run.get_context().experiment.workspace.datasets['table']
frame = ds.to_pandas_dataframe()
few = ds.filter((ds['n'] > 1) & ~(ds['text'] == 'x')).keep_columns(['n', 'gaps']).to_pandas_dataframe()
import json, scriptrun
print(json.dumps([frame.dtypes.astype(str).to_dict(), {{name: [None if v != v or v is None else str(v) for v in frame[name].tolist()] for name in frame}}, scriptrun.__name__ and hasattr(scriptrun, '__version__'), few['n'].tolist()]))
"""


@pytest.mark.parametrize("without_parquet", [False, True], ids=["parquet", "csv"])
def test_rows_arrive_as_scriptrun_itself_gives_them(job, places, tmp_path, without_parquet):
    """This Python has pandas; the front is kept from finding the scriptrun that is installed."""
    workspace, variables = places
    mine = table(workspace, tmp_path).to_pandas_dataframe()
    hide = "class Not:\n    def find_spec(self, name, *more):\n        if name.partition('.')[0] in GONE: raise ImportError(name)\nsys.meta_path.insert(0, Not())\n"
    gone = "GONE = ('pyarrow', 'fastparquet')\n" if without_parquet else "GONE = ()\n"
    front = "import importlib.machinery as m\nreal = m.PathFinder.find_spec\nm.PathFinder.find_spec = classmethod(lambda cls, name, path=None, target=None: None if name == 'scriptrun' and path and 'runtime' not in path[0] else real(name, path, target))\nsys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in type(f).__module__.lower() and 'editable' not in getattr(f, '__module__', '').lower()]\n"
    script = job.folder / "work" / "train.py"
    script.write_text(PANDAS.format(runtime=str(job.runtime), before=gone + hide + front))
    done = subprocess.run(
        [sys.executable, script], env=job.environ(**variables), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    types, rows, installed, few = json.loads(done.stdout)
    assert not installed, "the front is what is tried here"
    whole = {
        name: [None if v != v or v is None else str(v) for v in mine[name].tolist()]
        for name in mine
    }
    assert rows == whole and few == [2, 3]
    kinds = mine.dtypes.astype(str).to_dict()
    told = {name: kind.partition("[")[0] for name, kind in types.items()}
    assert told == {name: kind.partition("[")[0] for name, kind in kinds.items()}


SUBMITTED = """
import os, sys
from azureml.core import Dataset, Run, Workspace
run = Run.get_context()
ws = run.experiment.workspace
assert sorted(os.listdir(run.input_datasets['files'])) == ['1.txt', '2.txt']
table = Dataset.get_by_id(ws, sys.argv[1])
assert table.id == run.input_datasets['table'].id and table.take(1).partition_keys == []
assert Workspace.from_config().name == ws.name
ws.get_default_datastore().upload(sys.argv[2], 'up', show_progress=False)
assert run.get_secret('mine') == 'value'
from scriptrun import ScriptRunConfig
open('child.py', 'w').write("print('a child')")
child = run.submit_child(ScriptRunConfig('.', script='child.py'), tags={'of': run.id})
child.wait_for_completion()
print(child.get_status(), sys.version_info[0])
secret = run.get_secret('other')
print('kept: ' + secret)
os.system('printf "%s\\n" "$SCRIPTRUN_SECRET_OTHER"')
"""


def test_a_submitted_job_on_a_bare_python(tmp_path, python, monkeypatch):
    """Submitted as users do it: the launcher tells the script where the helper is."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", "value")
    monkeypatch.setenv("SCRIPTRUN_SECRET_OTHER", "hunter2")
    workspace = Workspace.create("bare", path=tmp_path / "ws")
    source = tmp_path / "source"
    (source / "in").mkdir(parents=True)
    for name in ("1.txt", "2.txt"):
        (source / "in" / name).write_text("a,b\n1,2\n")
    (source / "train.py").write_text(SUBMITTED)
    store = Datastore.register_local(workspace, "here", source)
    table = Dataset.Tabular.from_delimited_files((store, "in/*.txt")).as_named_input("table")
    files = Dataset.File.from_files((store, "in")).as_named_input("files")
    environment = Environment("bare")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = python
    config = ScriptRunConfig(
        source, "train.py", arguments=[table, "in", files.as_mount()], environment=environment
    )
    run = Experiment(workspace, "bare").submit(config)
    details = run.wait_for_completion(raise_on_error=False)
    log = (run.path / "user_logs" / "std_log.txt").read_text()
    told = sorted(log.splitlines())
    assert (details["status"], told) == ("Completed", ["*******", "Completed 3", "kept: *******"])
    assert not details["warnings"] and not [n for n in details["notes"] if "left running" in n]
    assert sorted(e.path for e in workspace.get_default_datastore().store.list("up")) == [
        "up/1.txt",
        "up/2.txt",
    ]
    assert [child.get_tags() for child in run.get_children()] == [{"of": run.id}]


OLD = """
import copy
from azureml.core import Run, Workspace, Experiment, Model, ScriptRunConfig
from azureml.core.authentication import ServicePrincipalAuthentication
from azureml.core.compute import ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.data import FileDataset, TabularDataset
from azureml.data.datapath import DataPath
from azureml.opendatasets import MNIST
import azureml.core.model

run = Run.get_context()
ws = run.experiment.workspace
login = ServicePrincipalAuthentication('tenant', 'id', 'password')
assert Workspace.get(name='ws', auth=login, subscription_id='s', resource_group='g').name == 'ws'
assert Workspace('s', 'g', 'ws').name == ws.name == 'ws'
assert Run(run.experiment, run.id).id == Run.get(ws, run.id).id == run.id == copy.copy(run).id
assert run.number == 1 and Model is azureml.core.model.Model
ws.get_default_datastore().upload_files(['train.py'], target_path='files')
place = DataPath(ws.get_default_datastore(), 'files')
files = __import__('scriptrun').Dataset.File.from_files(place).register(ws, 'files')
run.input_datasets['training'] = files
assert run.input_datasets['training'].name == 'files'
assert isinstance(files, FileDataset) and not isinstance(files, TabularDataset)
try: ComputeTarget(ws, 'cluster')
except ComputeTargetException as error: assert 'not found' in str(error)
else: raise AssertionError('it was there')
assert ws.compute_targets['cluster'].name == 'cluster'
try: MNIST.get_file_dataset()
except NotImplementedError as error: assert 'published' in str(error)
else: raise AssertionError('it was there')
open('child.py', 'w').write('print(1)')
child = run.submit_child(ScriptRunConfig(source_directory='.', script='child.py'))
child.wait_for_completion()
print(child.get_status(), child.parent.id == run.id)
"""


def test_names_of_the_sdk_v1_are_answered_for_too(tmp_path, monkeypatch):
    """All that the table of the drop-in has, in a job that old code submitted."""
    from scriptrun.dropin.azureml.experiment import Experiment as Old

    monkeypatch.setenv("SCRIPTRUN_MAX_RUNS", "4")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(OLD)
    workspace = Workspace.create("ws", path=tmp_path)
    environment = Environment("bare")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = old_pythons.oldest(old_pythons.LAUNCHER)
    config = ScriptRunConfig(str(tmp_path / "src"), "train.py", environment=environment)
    run = Old(workspace, "old").submit(config)
    run.wait_for_completion(raise_on_error=False)
    log = (run.path / "user_logs" / "std_log.txt").read_text()
    assert log.endswith("Completed True\n"), log
    (used,) = run.get_details()["inputDatasets"]
    assert used["dataset"]["name"] == "files"
    assert used["consumptionDetails"]["inputName"] == "training"
    (child,) = run.get_children()
    assert child.job.environment.pins == run.job.environment.pins == "auto"


@pytest.mark.parametrize("readers", [("pyarrow",), ()])
def test_a_data_frame_crosses_as_a_file(tmp_path, monkeypatch, readers):
    import pandas

    from scriptrun.helpers import job_objects
    from scriptrun.runtime.injob import proxy, tables

    monkeypatch.setattr(tables, "_PARQUET", readers)
    workspace = Workspace.create("ws", path=tmp_path)
    sent = proxy._encode(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    frame = job_objects.ObjectServer()._decode(sent)
    assert not os.path.exists(sent["path"])
    store = workspace.get_default_datastore()
    made = Dataset.Tabular.register_pandas_dataframe(frame, (store, "kept"), "frame")
    assert made.to_pandas_dataframe().to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_an_error_of_a_service_keeps_its_status_and_log():
    from scriptrun.helpers import job_objects
    from scriptrun.runtime.injob import proxy_process

    class Service:
        def run(self) -> None:
            raise WebserviceException("It fails.", 502, "the log", hint="Read it.")

    server = job_objects.ObjectServer()
    number = server._register(Service())["n"]
    question = {"do": "call", "of": {"$": "object", "n": number}, "name": "run"}
    answer = json.loads(json.dumps(server.answer({**question, "args": [], "kwargs": {}})))
    error = proxy_process._to_exception(answer["error"])
    assert isinstance(error, WebserviceException)
    assert (error.message, error.hint) == ("It fails.", "Read it.")
    assert (error.status_code, error.logs) == (502, "the log")
