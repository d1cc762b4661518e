"""Outside any job the same script runs by itself, and prints what it would have logged."""

from __future__ import annotations

OUTSIDE = {"SCRIPTRUN_RUN_ID": "", "SCRIPTRUN_RUN_FOLDER": ""}

#: what v1's offline run has, and what it has not
HAS = (
    "id log log_list log_row log_table log_image log_confusion_matrix log_accuracy_table "
    "log_residuals log_predictions upload_file upload_files upload_folder tag add_properties "
    "child_run complete fail cancel flush"
).split()
HAS_NOT = "experiment parent get_metrics input_datasets create_children".split()


def test_it_prints_and_records_nothing(job, python):
    out = job.run(python, """
from scriptrun import Run
with Run.get_context() as run:
    run.log('loss', 0.5, step=1); run.log_list('l', range(2)); run.log_row('r', x=1); run.log_table('t', {'a': [1]})
    run.log_image('i', path='none.png'); run.tag('k', 'v'); run.add_properties({'p': 1})
    run.upload_file('n', 'p'); run.upload_files(['n'], ['p']); run.upload_folder('n', 'p')
    run.child_run().log('c', 1); run.flush(); run.complete(); run.cancel(); run.fail()
    run.log_confusion_matrix('m', {}); run.log_accuracy_table('m', {}); run.log_residuals('m', {}); run.log_predictions('m', {})
print(run.id, type(run).__name__)
""", **OUTSIDE)  # fmt: skip
    assert out.startswith("Attempted to log scalar metric loss:\n0.5\n")
    assert "Attempted to log list metric l:\n[0, 1]\n" in out
    assert "OfflineRun_" in out.splitlines()[-1] and out.endswith("_OfflineRun\n")
    assert not (job.folder / "metrics").exists()


def test_it_has_only_the_members_of_v1(job, python):
    job.run(python, f"""
from scriptrun import Run
run = Run.get_context()
assert [name for name in {HAS!r} if not hasattr(run, name)] == []
assert [name for name in {HAS_NOT!r} if hasattr(run, name)] == []
try: run.experiment
except AttributeError as error: assert 'outside a job' in str(error), error
assert not isinstance(run, Run)
""", **OUTSIDE)  # fmt: skip


def test_it_can_be_refused(job, python):
    job.run(python, """
from scriptrun import Run
from scriptrun import exceptions
try: Run.get_context(allow_offline=False)
except exceptions.RunEnvironmentException as error: assert 'not part of a job' in str(error)
else: raise AssertionError
assert issubclass(exceptions.RunEnvironmentException, exceptions.UserErrorException)
""", **OUTSIDE)  # fmt: skip
