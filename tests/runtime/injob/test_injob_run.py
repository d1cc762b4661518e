"""The run as a script sees it, on every Python that jobs run on."""

from __future__ import annotations

import json
import math

from scriptrun.tracking import artifacts, events, metric_series

HEAD = "from scriptrun import Run\nimport json, os, sys\nrun = Run.get_context()\n"


def test_metrics_come_back_in_the_shapes_of_v1_inside_and_outside(job, python):
    out = job.run(
        python,
        HEAD
        + r"""
run.log('once', 0.5)
for i in range(3): run.log('loss', i / 2, step=i, description='d')
run.log('text', 'aß"\n日本'); run.log('flag', True); run.log('nothing', None); run.log('whole', 12)
run.log('thing', object); run.log('größe/損失', 1)
run.log_list('l', (i for i in range(2))); run.log_list('l', [5])
run.log_row('r', x=1, y='a'); run.log_row('r', x=2); run.log_row('r', y='c', z=[1, 2])
run.log_table('t', {'a': [1, 2], 'b': ['x', 'y']})
run.log_confusion_matrix('cm', {'schema_type': 'confusion_matrix', 'data': {'matrix': [[1, 0], [2, 3]]}})
run.log_accuracy_table('at', '{"schema_type": "accuracy_table", "data": {}}')
run.log_residuals('re', {'data': {}}); run.log_predictions('pr', {'data': {'bin': (1, 2)}})
json.dump(run.get_metrics(), sys.stdout)
""",
    )
    inside = json.loads(out)
    outside = metric_series.read(job.folder)
    assert inside == outside
    assert outside == {
        "once": 0.5, "loss": [0.0, 0.5, 1.0], "text": 'aß"\n日本', "flag": True, "nothing": None,
        "whole": 12, "thing": "<class 'object'>", "größe/損失": 1, "l": [0, 1, 5],
        "r": {"x": [1, 2, None], "y": ["a", None, "c"], "z": [None, None, [1, 2]]},
        "t": {"a": [1, 2], "b": ["x", "y"]},
        "cm": {"schema_type": "confusion_matrix", "data": {"matrix": [[1, 0], [2, 3]]}},
        "at": {"schema_type": "accuracy_table", "data": {}},
        "re": {"data": {}}, "pr": {"data": {"bin": [1, 2]}},
    }  # fmt: skip
    assert metric_series.series(job.folder, "loss").steps == [0, 1, 2]


def test_special_numbers_and_odd_objects_never_end_a_training(job, python):
    job.run(
        python,
        HEAD
        + r"""
class Array:  # a 0-d array or a tensor of one element
    def __init__(self, value): self.value = value
    def item(self): return self.value
class Eager:  # TensorFlow's: numpy() and no item()
    def numpy(self): return Array(0.25)
class Matrix:
    shape = (2,)
    def tolist(self): return [1.5, float('nan')]
class Broken:
    def __str__(self): raise RuntimeError('no text')
    def item(self): raise ValueError('more than one element')
class Mock:
    def __getattr__(self, name): return Mock()
    def __call__(self): return self
    def __str__(self): return 'mock'
class Whole(int): pass
for value in (float('nan'), float('inf'), -float('inf'), 'NaN'): run.log('special', value)
run.log_list('mixed', [1.0, float('nan'), 'NaN', '\\NaN', 'Infinity', {'deep': [-float('inf'), 'NaN']}])
for value in (Array(3), Eager(), Whole(4), Broken(), Mock(), 10 ** 400, b'x', 1j): run.log('odd', value)
run.log('huge', 1 << 20000); run.log('steps', 1, step=Array(7)); run.log('steps', 2, step=float('nan'))
run.log('steps', 3, step=True); run.log('steps', 4, step='five'); run.log('steps', 5, step=1 << 20000)
run.log_list('array', Matrix()); run.log_list('one', 'text'); run.log(('a', 1), 1); run.log('\ud800', '\udfff')
loop = []; loop.append(loop); run.log_list('loop', [loop])
""",
    )
    found = metric_series.read(job.folder)
    assert math.isnan(found["special"][0]) and found["special"][1:] == [math.inf, -math.inf, "NaN"]
    mixed = found["mixed"]
    assert math.isnan(mixed[1]) and mixed[2:] == [
        "NaN",
        "\\NaN",
        "Infinity",
        {"deep": [-math.inf, "NaN"]},
    ]
    assert found["odd"] == [3, 0.25, 4, "<Broken>", "mock", 10**400, "b'x'", "1j"]
    assert found["huge"] == hex(1 << 20000)
    assert metric_series.series(job.folder, "steps").steps == [7, None, 1, None, None]
    assert found["array"][0] == 1.5 and found["one"] == ["text"] and found["('a', 1)"] == 1
    assert found["\ud800"] == "\udfff" and len(found["loop"]) == 1


def test_unequal_columns_are_refused_and_leave_nothing(job, python):
    out = job.run(
        python,
        HEAD
        + """
for value in ({'a': [1, 2], 'b': [1]}, [1, 2]):
    try: run.log_table('t', value)
    except Exception as error: print(type(error).__name__, error)
""",
    )
    assert "UserErrorException Columns of table 't' differ in length (a: 2, b: 1)" in out
    assert "UserErrorException log_table('t') requires a dict" in out
    assert metric_series.read(job.folder) == {}


def test_images_are_artifacts_named_by_their_metric(job, python):
    out = job.run(
        python,
        HEAD
        + """
class Figure:
    def savefig(self, stream, format): stream.write(b'PNG of ' + format.encode())
class Axes: figure = Figure()
open('plot.jpg', 'wb').write(b'jpeg')
run.log_image('a/b: plot', path='plot.jpg')
run.log_image('fig', plot=Figure()); run.log_image('fig', plot=Axes())
for arguments in ({}, {'path': 'plot.jpg', 'plot': 1}, {'path': 'none.png'}, {'plot': 1}):
    try: run.log_image('x', **arguments)
    except Exception as error: print(type(error).__name__, error)
""",
    )
    assert out.count("UserErrorException") == 4
    found = metric_series.read(job.folder)
    assert set(found) == {"a/b: plot", "fig"}
    stem, _, artifact = found["a/b: plot"].rpartition("/")
    assert stem == f"aml://artifactId/ExperimentRun/dcid.{job.folder.name}"
    assert artifact.startswith("a_b_ plot_") and artifact.endswith(".jpg")
    assert artifacts.path_of(job.folder, artifact).read_bytes() == b"jpeg"
    first, second = (address.rpartition("/")[2] for address in found["fig"])
    assert first != second
    assert artifacts.path_of(job.folder, second).read_bytes() == b"PNG of png"


def test_tags_properties_and_names(job, python):
    out = job.run(
        python,
        HEAD
        + """
run.tag('from', 'script'); run.tag('bare'); run.tag('gone', 1); run.set_tags({'more': 2.5, 'none': None})
run.set_tags('alone'); run.remove_tags(['gone', 'never'])
run.add_properties({'p': 1}); run.add_properties({'p': '1', 'q': 2})
try: run.add_properties({'p': 2, 'r': 3})
except Exception as error: print(type(error).__name__, error, file=sys.stdout)
assert run.name == run.display_name == 'a name'
run.display_name = 'größer'
assert (run.name, run.id, run.experiment.name, run.status, run.parent) == ('größer', 'first_1_00000000', 'first', 'Running', None)
print(json.dumps([run.tags, run.get_tags(), run.properties])); print(run)
""",
    )
    message, told, shown = out.splitlines()[0], out.splitlines()[-2], out.splitlines()[-1]
    assert message.startswith("UserErrorException Property 'p' of this run is already '1'")
    tags = {"from": "script", "bare": None, "more": "2.5", "none": None, "alone": None}
    assert json.loads(told) == [tags, tags, {"p": "1", "q": "2"}]
    assert shown == "Run(Experiment: first, Id: first_1_00000000)"
    facts = events.collect_facts(events.read(job.folder))
    assert facts.tags == tags and facts.display_name == "größer"
    assert facts.properties == {"p": "1", "q": "2"}


def test_files_of_a_run(job, python):
    job.run(
        python,
        HEAD
        + """
import io, pathlib
os.makedirs('outputs/sub'); open('outputs/sub/model.pkl', 'w').write('model')
run.upload_file('outputs/sub/model.pkl', 'outputs/sub/model.pkl')  # it is there already
run.upload_file('./outputs/more.txt', io.StringIO('grün')); run.upload_file(name='up.bin', path_or_stream=io.BytesIO(b'up'))
run.upload_file('up.bin', io.BytesIO(b'again'))
os.makedirs('d/e'); open('d/e/f.txt', 'w').write('f'); open('d/g.txt', 'w').write('g')
run.upload_folder('kept', 'd'); run.upload_folder('kept2', pathlib.Path('d'))
run.upload_files(['x/1', 'x/2'], ['d/g.txt', 'd/g.txt'])
for bad in ('../out', '/etc/passwd', '', 'a/../../b'):
    try: run.upload_file(bad, 'd/g.txt')
    except Exception as error: assert type(error).__name__ == 'UserErrorException', error
    else: raise AssertionError(bad)
names = run.get_file_names()
assert names == ['kept/e/f.txt', 'kept/g.txt', 'kept2/e/f.txt', 'kept2/g.txt', 'outputs/more.txt',
                 'outputs/sub/model.pkl', 'up.bin', 'x/1', 'x/2'], names
run.download_file('up.bin'); assert open('up.bin', 'rb').read() == b'again'
run.download_file('outputs/sub/model.pkl', 'new/here.pkl'); assert open('new/here.pkl').read() == 'model'
run.download_files('kept', 'all'); assert sorted(os.listdir('all')) == ['kept', 'kept2']
run.download_files('kept/', 'bare', append_prefix=False); assert sorted(os.listdir('bare')) == ['e', 'g.txt']
try: run.download_file('outputs/none')
except Exception as error: assert 'outputs/sub/model.pkl' in str(error), error
else: raise AssertionError('none')
""",
    )
    assert (job.folder / "work" / "outputs" / "more.txt").read_text("utf-8") == "grün"
    assert (job.folder / "artifacts" / "kept" / "e" / "f.txt").read_text() == "f"


def test_children_have_their_own_record_and_end_with_their_block(job, python):
    out = job.run(
        python,
        HEAD
        + """
run.log('loss', 1)
with run.child_run('named') as child:
    child.log('loss', 2); child.tag('t', 'v'); status = child.status
    with child.child_run() as grandchild: grandchild.log('loss', 3)
try:
    with run.child_run() as failed: raise KeyError('broken')
except KeyError: pass
made = run.create_children(tag_key='fold', tag_values=[1, 2])
assert [c.tags for c in made] == [{'fold': '1'}, {'fold': '2'}] and len(run.create_children(2)) == 2
made[0].cancel(); made[1].complete(); made[1].fail('late', error_code=7)
assert child.parent == run and grandchild.parent == child and child.name == 'named'
assert len(list(run.get_children())) == 6 and len(list(run.get_children(recursive=True))) == 7
everything = run.get_metrics(recursive=True)
print(json.dumps([child.id, grandchild.id, everything, status, [r.status for r in (child, failed, made[0], made[1], run)]]))
""",
    )
    child, grandchild, everything, status, states = json.loads(out)
    logged = {run_id: values["loss"] for run_id, values in everything.items() if values}
    assert logged == {job.folder.name: 1, child: 2, grandchild: 3}
    assert status == "Running"
    assert states == ["Completed", "Failed", "Canceled", "Failed", "Running"]
    runs = {path.parent.name: path for path in job.folder.parent.parent.glob("*/*/job.json")}
    spec = json.loads(runs[grandchild].read_text())
    assert (spec["parent"], spec["root"], spec["experiment"]) == (child, job.folder.name, "first")
    result = json.loads((runs[child].parent / "attempts" / "1" / "result.json").read_text())
    assert result["state"] == "Completed"


def test_a_childs_folder_is_a_run_to_the_rest_of_the_house(job, python):
    from scriptrun.tracking import run_folder, run_state

    child = job.run(
        python,
        HEAD
        + """
try:
    with run.child_run('c') as child: raise ValueError('broken')
except ValueError: print(child.folder, end='')
""",
    )
    from pathlib import Path

    folder = Path(child)
    spec = run_folder.read_job(folder)
    assert spec is not None and spec.display_name == "c" and spec.parent == job.folder.name
    assert run_folder.folder_of(folder.parent.parent, spec) == folder
    status = run_state.read_status(folder)
    assert (status.state, status.reason) == ("Failed", "ValueError: broken")


def test_fail_complete_and_cancel_leave_their_word(job, python):
    job.run(
        python,
        HEAD
        + """
run.complete(); assert run.get_status() == 'Running'  # a job's launcher says how it ended
run.fail('it broke', error_code='E1'); assert run.get_status() == 'Failed'
run.cancel(); assert json.load(open(run.folder + '/cancel.json'))
details = run.get_details(); assert details['runId'] == run.id and details['status'] == 'Failed'
""",
    )
    facts = events.collect_facts(events.read(job.folder))
    assert facts.failure["message"] == "it broke" and facts.failure["code"] == "E1"
    assert facts.completed is not None
    assert not (job.folder / "attempts").exists()


def test_the_workspace_is_known_by_its_facts(job, python):
    job.run(
        python,
        HEAD
        + """
import os
os.environ.update(AZUREML_ARM_WORKSPACE_NAME='w', AZUREML_ARM_SUBSCRIPTION='s', AZUREML_ARM_RESOURCEGROUP='g')
ws = run.experiment.workspace
assert (ws.name, ws.subscription_id, ws.resource_group) == ('w', 's', 'g')
assert not hasattr(ws, 'datastores')
import pickle; assert pickle.loads(pickle.dumps(ws)).name == 'w'
""",
    )


def test_what_needs_more_than_the_folder_says_what_to_add(job, python):
    job.run(
        python,
        HEAD
        + """
for ask in (lambda: run.experiment.workspace.datastores, lambda: run.submit_child(1), lambda: run.register_model('m')):
    try: ask()
    except Exception as error: assert "Add scriptrun to the environment's packages" in str(error), error
    else: raise AssertionError(ask)
assert not hasattr(run, 'no_such_thing') and not hasattr(run, 'get_secret')
import pickle; assert pickle.loads(pickle.dumps(run)) == run
""",
    )
