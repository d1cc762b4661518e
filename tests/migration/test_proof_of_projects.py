"""What a proof needs of the project around a file, and of the runs that it does not start."""

from __future__ import annotations

import pytest

from scriptrun.migration.proof import fake_runs, missing_modules, prove, waits

HEAD = """\
from azureml.core import Experiment, ScriptRunConfig, Workspace
ws = Workspace.from_config()
def submit(*arguments):
    config = ScriptRunConfig('.', command=['echo', *arguments], compute_target='local')
    return Experiment(ws, 'x').submit(config)
"""


@pytest.fixture
def proof(tmp_path, monkeypatch):
    """Prove that a file with this code is the same after a change that means nothing."""
    monkeypatch.chdir(tmp_path)

    def of(code, name="submit.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
        return prove.prove(name, code.encode(), code.encode() + b"# mended\n")

    return of


def test_a_module_that_the_code_can_do_without_is_missing(proof):
    code = """\
try:
    from unheard_of import load
except ImportError:
    load = None
submit('without' if load is None else 'with')
"""
    found = proof(HEAD + code)
    assert (found.standing, found.jobs, found.assumed) == (prove.SAME, 1, [])


def test_a_module_that_the_code_cannot_do_without_is_stood_in(proof):
    code = (
        "try:\n    import unheard_of\nexcept ImportError:\n    raise SystemExit(1)\nsubmit('a')\n"
    )
    found = proof(HEAD + code)
    assert found.standing == prove.SAME
    assert found.assumed == ["the module unheard_of, which is not installed"]


def test_packages_above_the_file_are_found_as_python_m_finds_them(proof, tmp_path):
    (tmp_path / "service" / "util").mkdir(parents=True)
    for name in ("service/__init__.py", "service/util/__init__.py"):
        (tmp_path / name).touch()
    (tmp_path / "service" / "util" / "settings.py").write_text("NAME = open('name.txt').read()\n")
    (tmp_path / "name.txt").write_text("mine")
    code = "from service.util.settings import NAME\nassert NAME == 'mine'\nsubmit(NAME)\n"
    found = proof(HEAD + code, "service/run.py")
    assert (found.standing, found.reasons, found.assumed) == (prove.SAME, [], [])


def test_code_that_waits_for_metrics_goes_on(proof):
    code = """\
run = submit('a')
while 'loss' not in run.get_metrics() or run.get_status() != 'Completed':
    pass
metrics = run.get_metrics()
print('{:.2f} %.2f' % 1, '{:.2f}'.format(max(metrics['loss'])), metrics['auc'][-1] > 0.5)
for child in run.get_children():
    print(f"{child.get_metrics().get('auc'):.1f}")
submit('b')
"""
    found = proof(HEAD + code)
    assert (found.standing, found.jobs, found.stopped) == (prove.SAME, 2, [])


@pytest.mark.parametrize("wait", ["24 * 3600", "0.1"])
def test_code_that_never_ends_is_ended(proof, wait):
    loop = f"""\
import time
while True:
    try:
        submit('a')
    except Exception:
        pass
    while True:
        time.sleep({wait})
"""
    found = proof(HEAD + loop)
    assert (found.standing, found.jobs, found.stopped) == (prove.PARTLY, 1, [waits.ENDLESS])


def test_a_job_that_depends_on_a_result_is_not_proved(proof):
    found = proof(HEAD + "submit(submit('a').get_metrics()['best'])\n")
    assert found.standing == prove.CANNOT and "results of another" in found.reasons[0]


def test_the_script_of_a_job_is_not_run(proof):
    found = proof("from azureml.core import Run\nrun = Run.get_context()\nwhile True:\n    pass\n")
    assert found.reasons == ["it is the script of a job, and submits none"]


def test_the_widget_shows_nothing(proof):
    found = proof(f"from azureml.widgets import RunDetails\n{HEAD}RunDetails(submit('a')).show()\n")
    assert (found.standing, found.stopped) == (prove.SAME, [])


def test_what_a_run_gives_is_marked():
    run = fake_runs.new_run()
    texts = {repr(run), str(run.get_metrics()["a"]), repr(run.get_best_run_by_primary_metric())}
    assert texts == {fake_runs.MARK} and missing_modules.MARK not in fake_runs.MARK
