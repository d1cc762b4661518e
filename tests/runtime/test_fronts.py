"""What a job's script imports, laid out as for a job, in an interpreter without scriptrun."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from scriptrun.runtime import fronts
from scriptrun.runtime.fronts import (
    azureml_front,
    dropin_front,
    script_front,
    sitecustomize_front,
)
from scriptrun.runtime.injob import compat_names
from scriptrun.store import job_runtime
from scriptrun.testing.jobs import PATIENCE

#: the interpreter below this environment, which has none of its packages
BARE = os.path.realpath(sys.executable)


def test_files_of_the_copy_that_a_power_cut_emptied_are_copied_again(tmp_path):
    kit = job_runtime.install(tmp_path)
    before = {path: path.read_bytes() for path in kit.rglob("*.py")}
    names = ("scriptrun/__init__.py", "scriptrun/runtime/files.py", "azureml/__init__.py")
    for name in names[:2]:
        (kit / name).write_bytes(b"")
    (kit / names[2]).unlink()
    assert job_runtime.install(tmp_path) == kit
    assert {path: path.read_bytes() for path in kit.rglob("*.py")} == before
    assert not list(kit.rglob("*.tmp"))


def _replaced(path, make):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda kit: (kit / "argparse.py").write_text("bad"), id="a module"),
        pytest.param(lambda kit: (kit / "old" / "json").mkdir(), id="a package"),
        pytest.param(
            lambda kit: (kit / "scriptrun" / "runtime" / "more.py").symlink_to("files.py"),
            id="a linked module",
        ),
        pytest.param(
            lambda kit: _replaced(
                kit / "azureml" / "__init__.py",
                lambda path: path.symlink_to(azureml_front.__file__),
            ),
            id="a link for a file",
        ),
        pytest.param(
            lambda kit: _replaced(kit / "azureml" / "__init__.py", os.mkdir),
            id="a folder for a file",
        ),
        pytest.param(
            lambda kit: _replaced(kit / "scriptrun", lambda path: path.write_text("bad")),
            id="a file for a folder",
        ),
        pytest.param(
            lambda kit: _replaced(kit, lambda path: path.write_text("bad")),
            id="a file for the copy",
        ),
    ],
)
def test_a_copy_never_has_anything_besides_its_files(tmp_path, change):
    kit = job_runtime.install(tmp_path)
    before = {path: path.is_file() and path.read_bytes() for path in kit.rglob("*")}
    change(kit)
    assert not kit.is_dir() or job_runtime.damaged_files(kit)
    assert job_runtime.install(tmp_path) == kit
    assert {path: path.is_file() and path.read_bytes() for path in kit.rglob("*")} == before
    assert not any(path.is_symlink() for path in kit.rglob("*"))
    assert job_runtime.damaged_files(kit) == []


@pytest.fixture
def run(tmp_path):
    """Run code as a job does; what it printed, as JSON."""
    kit = job_runtime.install(tmp_path / "ws")
    folder = tmp_path / "runs" / "2026-11-24" / "r_1"
    (folder / "events").mkdir(parents=True)
    (folder / "job.json").write_text('{"experiment": "e"}')

    def start(code, *paths, **more):
        environ = {
            "PATH": os.defpath, "SCRIPTRUN_RUN_ID": "r_1", "SCRIPTRUN_RUN_FOLDER": str(folder),
            "PYTHONPATH": os.pathsep.join(map(str, [kit, *paths])), **more,
        }  # fmt: skip
        head = "import json, sys\nsay = lambda *v: print(json.dumps(v))\n"
        argv = [BARE, "-s", "-c", head + code]
        done = subprocess.run(
            argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    start.kit = kit
    return start


RAISES = (
    "def raised(call):\n"
    "    try: call()\n"
    "    except Exception as error: return [type(error).__name__, str(error)]\n"
)


def test_the_fronts_are_what_is_laid_out_with_jobs(run):
    for module, name in (
        (script_front, "scriptrun/__init__.py"),
        (dropin_front, "scriptrun/dropin.py"),
        (azureml_front, "azureml/__init__.py"),
        (sitecustomize_front, "old/sitecustomize.py"),
    ):
        with open(module.__file__, "rb") as handle:
            assert (run.kit / name).read_bytes() == handle.read()
        assert module.__file__.startswith(os.path.dirname(fronts.__file__))


def test_scriptrun_has_its_run_and_says_what_other_names_need(run):
    code = RAISES + (
        "import scriptrun\nfrom scriptrun import Run, Workspace, Dataset\n"
        "say(Run.get_context().id, 'Run' in dir(scriptrun), hasattr(scriptrun, '__wrapped__'))\n"
        "say(raised(lambda: Workspace.from_config()), raised(lambda: Dataset()))\n"
        "say(raised(lambda: scriptrun.no_such_name), Workspace is scriptrun.Workspace)\n"
        "from scriptrun.exceptions import UserErrorException as one, OddException as two\n"
        "say(issubclass(two, one), raised(lambda: scriptrun.exceptions.other)[0])"
    )
    first, needed, names, errors = run(code)
    assert first == ["r_1", True, False]
    assert all(kind == "AttributeError" and "Add scriptrun" in said for kind, said in needed)
    assert "no_such_name" in names[0][1] and names[1] is True
    assert errors == [True, "AttributeError"]


def test_rewritten_code_may_import_the_dropin_in_a_job(run, tmp_path):
    module(tmp_path, "numpy", "inf = 1.5")
    code = "import scriptrun.dropin, numpy\nfrom azureml.core import Run; "
    assert run(code + "say(numpy.NINF, Run.get_context().id)", tmp_path) == [[-1.5, "r_1"]]


def test_a_scriptrun_that_is_installed_has_the_say(run, tmp_path):
    for name, text in (("real", "WHO = 'real'"), ("broken", "raise ValueError('mine')")):
        (tmp_path / name / "scriptrun").mkdir(parents=True)
        (tmp_path / name / "scriptrun" / "__init__.py").write_text(text)
    (tmp_path / "bare" / "scriptrun").mkdir(parents=True)
    seen = "import scriptrun; say(getattr(scriptrun, 'WHO', 'front'))"
    assert run(seen, tmp_path / "real") == [["real"]]
    assert run(seen, tmp_path / "bare", run.kit) == [["front"]]
    code = RAISES + "say(raised(lambda: __import__('scriptrun')), 'scriptrun' in sys.modules)"
    assert run(code, tmp_path / "broken") == [[["ValueError", "mine"], False]]


def test_azureml_has_a_run_and_stands_in_for_the_rest(run):
    code = RAISES + (
        "from azureml.core import Run, Model, Dataset, VERSION\nimport azureml.core as core\n"
        "from azureml.core.run import Run as again\n"
        "from azureml.core.model import Model as model\n"
        "say(Run.get_context().id, Run is again, Model is model, VERSION)\n"
        "say(raised(lambda: Model(1, 2)), raised(lambda: Model.list), isinstance(3, Model))\n"
        "say(raised(lambda: core.no_such), hasattr(Model, '_private'))\n"
        "from azureml.exceptions import WebserviceException, UserErrorException as user\n"
        "from azureml._common.exceptions import AzureMLException as base\n"
        "say(issubclass(user, base), issubclass(WebserviceException, Exception))\n"
        "from azureml.train.automl import AutoMLConfig\nimport azureml.telemetry\n"
        "say(raised(lambda: AutoMLConfig(task='x')), azureml.telemetry.set_diagnostics_collection())\n"
        "say(raised(lambda: __import__('azureml.nothing'))[0])"
    )
    names, stands, missing, errors, rest, none = run(code)
    assert names[:3] == ["r_1", True, True] and names[3].count(".") == 2
    assert all(kind == "NotImplementedError" for kind, _ in stands[:2])
    assert "azureml.core.Model is unavailable" in stands[0][1] and stands[2] is False
    assert missing[0][0] == "AttributeError" and missing[1] is False
    assert errors == [True, True]
    assert rest[0][0] == "NotImplementedError" and "AutoMLConfig" in rest[0][1]
    assert (rest[1], none) == (None, ["ModuleNotFoundError"])


def test_an_azureml_that_is_installed_fills_what_is_not_provided(run, tmp_path):
    place = tmp_path / "site" / "azureml"
    (place / "core").mkdir(parents=True)
    (place / "train.py").write_text("WHO = 'installed'")
    (place / "core" / "special.py").write_text("WHO = 'below core'")
    code = (
        "import azureml.train, azureml.core.special\nfrom azureml.core import Run\n"
        "say(azureml.train.WHO, azureml.core.special.WHO, Run.get_context().id)"
    )
    assert run(code, tmp_path / "site") == [["installed", "below core", "r_1"]]


def test_an_installed_azureml_monitoring_keeps_its_other_names(run, tmp_path):
    place = tmp_path / "site" / "azureml" / "monitoring"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(
        "from .parts import Part, helper\nclass ModelDataCollector: pass"
    )
    (place / "parts.py").write_text("class Part: who = 'installed'\ndef helper(): return 'helps'")
    code = (
        "from azureml.monitoring import ModelDataCollector, Part, helper\n"
        "import azureml.monitoring.parts\n"
        "say(Part.who, helper(), ModelDataCollector.__module__, azureml.monitoring.parts.Part.who)"
    )
    ours = "scriptrun.runtime.injob.model_data"
    assert run(code, tmp_path / "site") == [["installed", "helps", ours, "installed"]]


def test_old_code_finds_old_names_and_its_own_sitecustomize(run, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import builtins; builtins.OWN = 1")
    code = (
        "import collections, inspect, time, sitecustomize\n"
        "def call(a, b=1, *c, **d): pass\n"
        "say(OWN, collections.Mapping is collections.abc.Mapping, time.clock() >= 0)\n"
        "say(list(inspect.getargspec(call)), sitecustomize.__file__)"
    )
    first, second = run(code, run.kit / "old", tmp_path / "own")
    assert first == [1, True, True]
    assert second[0] == [["a", "b"], "c", "d", [1]]
    assert second[1] == str(tmp_path / "own" / "sitecustomize.py")


def test_without_one_of_its_own_the_start_is_silent(run):
    code = (
        "import collections; say(hasattr(collections, 'Mapping'), 'sitecustomize' in sys.modules)"
    )
    assert run(code, run.kit / "old") == [[True, True]]
    assert run("import collections; say(hasattr(collections, 'Mapping'))") == [[False]]


def module(place, name, text):
    path = place / (name.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for above in path.relative_to(place).parents[:-1]:
        (place / above / "__init__.py").touch()
    path.write_text(text)


def test_names_that_went_are_added_and_none_that_is_there_replaced(run, tmp_path):
    """A package of that name, with a few of today's names: what counts is which are added."""
    module(tmp_path, "numpy", "inf = float('inf'); isin = 'isin'; bool = 'kept'; mat = 'kept too'")
    module(tmp_path, "joblib", "WHO = 'joblib'")
    module(tmp_path, "sklearn.externals.six", "WHO = 'still here'")
    code = (
        "import numpy, sklearn.externals.joblib, sklearn.externals.six\n"
        "say(numpy.NINF == -numpy.Inf, numpy.in1d, numpy.bool, numpy.mat, numpy.int.__name__)\n"
        "say(hasattr(numpy, 'trapz'), sklearn.externals.joblib.WHO, sklearn.externals.six.WHO)\n"
        "say(sys.modules['sklearn.externals.joblib'] is sys.modules['joblib'])"
    )
    assert run(code, run.kit / "old", tmp_path) == [
        [True, "isin", "kept", "kept too", "int"],
        [False, "joblib", "still here"],
        [True],
    ]


def test_a_release_that_still_has_a_name_needs_nothing_of_its_successor(run, tmp_path):
    plots = "class ConfusionMatrixDisplay: pass\nplot_confusion_matrix = 'its own'"
    later = "class RocCurveDisplay: from_estimator = 'the newer one'"
    module(tmp_path, "sklearn.metrics", f"{plots}\n{later}")
    code = "from sklearn.metrics import plot_confusion_matrix as own, plot_roc_curve; "
    assert run(code + "say(own, plot_roc_curve)", run.kit / "old", tmp_path) == [
        ["its own", "the newer one"]
    ]


def test_a_module_that_is_loaded_already_is_mended_and_the_finder_stands_once(tmp_path):
    module(tmp_path, "numpy", "inf = 1.5")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numpy\n"
        f"from {compat_names.__name__} import install, Finder\ninstall(); install()\n"
        "print(numpy.NINF, sum(isinstance(each, Finder) for each in sys.meta_path))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["-1.5", "1"]


def test_only_what_is_in_the_tables_is_found():
    finder = compat_names.Finder()
    assert finder.find_spec("json") is None
    assert finder.find_spec("inspect") is not None
    code = (
        "import collections, time; from scriptrun.runtime.injob.compat_names import Finder; "
        "Finder(); print(hasattr(time, 'clock'), hasattr(collections, 'Mapping'))"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert shown.split() == ["False", "False"]
