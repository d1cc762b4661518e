"""``scriptrun`` in a job: ours where none is installed, and standing aside where one is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scriptrun.testing.jobs import PATIENCE

WHICH = "import scriptrun; print(getattr(scriptrun, 'WHO', 'front'))"


def package(place: Path) -> Path:
    (place / "scriptrun" / "inner").mkdir(parents=True)
    (place / "scriptrun" / "__init__.py").write_text(
        "WHO = 'installed'\nfrom scriptrun.inner import Run\n"
    )
    (place / "scriptrun" / "inner" / "__init__.py").write_text("class Run: pass\n")
    return place


def test_an_installed_one_is_loaded_in_its_place(job, python):
    path = os.pathsep.join([str(job.runtime), str(package(job.root / "site"))])
    out = job.run(
        python,
        WHICH + "\nfrom scriptrun import Run; import sys; print(Run.__module__)"
        "\nprint(scriptrun.__file__, sys.modules['scriptrun'] is scriptrun)",
        PYTHONPATH=path,
    )
    assert out.splitlines()[:2] == ["installed", "scriptrun.inner"]
    assert out.splitlines()[2] == f"{job.root / 'site' / 'scriptrun' / '__init__.py'} True"


def test_an_installed_one_with_a_submodule_first(job, python):
    path = os.pathsep.join([str(job.runtime), str(package(job.root / "site"))])
    assert (
        job.run(
            python, "import scriptrun.inner as inner; print(inner.Run.__name__)", PYTHONPATH=path
        )
        == "Run\n"
    )


def test_an_editable_one_behind_a_finder_of_its_own(job, python):
    source = package(job.root / "checkout")
    out = job.run(
        python,
        f"""
import importlib.util, sys
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == 'scriptrun':
            place = {str(source / "scriptrun")!r}
            return importlib.util.spec_from_file_location(name, place + '/__init__.py', submodule_search_locations=[place])
class Angry:
    def find_spec(self, name, path=None, target=None): raise ValueError if name == 'scriptrun' else None
sys.meta_path += [Angry(), Finder]
{WHICH}
""",
    )
    assert out == "installed\n"


def test_a_broken_one_says_so_itself(job, python):
    site = job.root / "site" / "scriptrun"
    site.mkdir(parents=True)
    (site / "__init__.py").write_text("import a_module_that_is_not_there\n")
    path = os.pathsep.join([str(job.runtime), str(site.parent)])
    process = job.start(python, WHICH, PYTHONPATH=path)
    assert "a_module_that_is_not_there" in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1


@pytest.mark.parametrize("other", ["front", "bare folder", "empty entries"])
def test_what_is_no_installed_one_is_passed_by(job, python, other):
    place = job.root / "other"
    if other == "front":
        job.lay_out(place)  # a job that was submitted by a job
    elif other == "bare folder":
        (place / "scriptrun").mkdir(parents=True)
    path = os.pathsep.join([str(job.runtime), str(place), "", str(job.root / "nowhere")])
    assert job.run(python, WHICH, PYTHONPATH=path) == "front\n"


def test_other_names_can_be_imported_and_say_at_first_use_what_to_do(job, python):
    job.run(
        python,
        """
from scriptrun import Workspace, Experiment, Run
import scriptrun
def typed(ws: Workspace) -> Experiment: return isinstance(ws, Workspace)
assert typed(1) is False
for use in (lambda: Workspace('w'), lambda: Workspace.from_config(), lambda: scriptrun.nothing):
    try: use()
    except AttributeError as error: assert "Add scriptrun to the environment's packages" in str(error), error
    else: raise AssertionError(use)
try: from scriptrun import nothing
except ImportError: pass
else: raise AssertionError
assert 'Run' in dir(scriptrun) and scriptrun.__doc__ and not hasattr(scriptrun, '__wrapped__')
""",
    )


def test_nothing_but_the_standard_library_and_little_of_it(job, python):
    job.run(
        python,
        """
import sys
from scriptrun import Run
Run.get_context().log('a', 1)
heavy = {'asyncio', 'logging', 'multiprocessing', 'argparse', 'typing_extensions', 'numpy'} & set(sys.modules)
assert not heavy, heavy
""",
    )


def test_it_holds_in_spawned_and_forked_processes(job, python):
    out = job.run(
        python,
        """
import multiprocessing
from scriptrun import Run
def work(run, number):
    Run.get_context().log('from child', number); run.log('by pickle', number)
if __name__ == '__main__':
    for number, method in enumerate(('spawn', 'fork', 'forkserver')):
        process = multiprocessing.get_context(method).Process(target=work, args=(Run.get_context(), number))
        process.start(); process.join(); assert process.exitcode == 0, method
    found = Run.get_context().get_metrics()
    assert sorted(found['from child']) == sorted(found['by pickle']) == [0, 1, 2], found
""",
    )
    assert out == ""
