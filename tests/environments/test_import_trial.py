"""Requested packages are imported once after a build; failures are notes that name the pair."""

from __future__ import annotations

import zipfile

import psutil
import pytest
from wheel_making import make_wheel

from scriptrun.environments import import_trial
from scriptrun.environments.builder import BuildCanceled
from scriptrun.environments.ensure import ensure, find
from scriptrun.testing.jobs import until

OLD = "import numeric\nnumeric.float\n"


@pytest.fixture
def build(wheels, request_of, locks, said):
    """Build an environment of ``lines``; return it and the request."""
    make_wheel(wheels, "numeric", "2.1.0")

    def make(*lines):
        request = request_of(*lines)
        return ensure(request, locks, said.append), request

    return make


def test_a_failing_import_names_the_pair_and_is_said_again(build, wheels, locks, said):
    make_wheel(wheels, "learn", "0.24.2", needs=("numeric",), code=OLD)
    ready, request = build("learn", "red")
    note = (
        "learn 0.24.2 fails to import with numeric 2.1.0: "
        "AttributeError: module 'numeric' has no attribute 'float'; pin numeric<2."
    )
    assert ready.failed_imports == (note,) and note in said
    assert find(request, locks).failed_imports == (note,)


def test_the_last_foreign_frame_names_the_pair(build, wheels):
    make_wheel(wheels, "middle", "1.4", code="raise ValueError('no')\n")
    make_wheel(wheels, "learn", needs=("middle",), code="import middle\n")
    assert build("learn")[0].failed_imports == (
        "learn 1.0 fails to import with middle 1.4: ValueError: no; pin middle<1.4.",
    )


def test_what_is_not_installed_is_named(build, wheels):
    make_wheel(wheels, "learn", code="import pkg_resources\n")
    assert build("learn")[0].failed_imports == (
        "learn 1.0 fails to import: ModuleNotFoundError: No module named 'pkg_resources'; "
        "add setuptools.",
    )


def test_a_package_alone_names_the_machine(build, wheels):
    make_wheel(wheels, "gpu", code="raise OSError('libcuda.so.1 is missing')\n")
    assert build("gpu")[0].failed_imports == (
        "gpu 1.0 fails to import on the machine that built the environment: "
        "OSError: libcuda.so.1 is missing.",
    )


def test_a_module_that_ends_python_does_not_hide_the_next(build, wheels):
    make_wheel(wheels, "crash", code="import os\nos._exit(7)\n")
    make_wheel(wheels, "zebra", code="import sys\nsys.exit('bye')\n")
    crash, zebra = build("crash", "zebra")[0].failed_imports
    assert crash.endswith("Python ended with status 7.")
    assert zebra.endswith("SystemExit: bye.")


def test_what_lies_beside_the_packages_own_module_is_not_tried(build, wheels):
    path = make_wheel(wheels, "flow")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("lint_plugins.py", "import astroid\n")
        archive.writestr("flow-1.0.dist-info/top_level.txt", "flow\nlint_plugins\n")
    assert build("flow")[0].notes == ()


def test_dependencies_are_not_tried(build, wheels):
    make_wheel(wheels, "broken", code="raise ValueError('no')\n")
    make_wheel(wheels, "fine", needs=("broken",))
    assert build("fine")[0].failed_imports == ()


def test_imports_that_take_too_long_are_ended_and_named(build, wheels, said, monkeypatch):
    monkeypatch.setattr(import_trial, "LIMIT", 0.5)
    make_wheel(wheels, "slow", code="import time\ntime.sleep(3600)\n")
    assert "it took more than 0.5 s" in build("slow")[0].failed_imports[0]


def test_a_canceled_build_ends_its_imports(wheels, request_of, locks, said, tmp_path):
    begun = tmp_path / "begun"
    make_wheel(wheels, "slow", code=f"open({str(begun)!r}, 'w')\nimport time\ntime.sleep(3600)\n")
    with pytest.raises(BuildCanceled):
        ensure(request_of("slow"), locks, said.append, stop=begun.exists)


def test_a_failure_that_comes_of_the_order_is_none(build, wheels):
    make_wheel(wheels, "first", code="")
    make_wheel(wheels, "second", code="import sys\nassert 'first' not in sys.modules\n")
    assert build("first", "second")[0].failed_imports == ()


def test_only_what_a_package_is_for_is_tried(build, wheels):
    wheel = make_wheel(wheels, "mlflow_skinny")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("mlflow.py", "")
        archive.writestr("lint_plugins.py", "import astroid")
        archive.writestr("mlflow_skinny-1.0.dist-info/top_level.txt", "lint_plugins\nmlflow\n")
    assert build("mlflow-skinny")[0].failed_imports == ()


@pytest.mark.parametrize(
    "code",
    [
        "import threading, time\nthreading.Thread(target=time.sleep, args=[3600]).start()\n",
        "print('x' * 1000000)\n",
        "raise KeyError('DISPLAY')\n",
    ],
    ids=["thread", "output", "display"],
)
def test_imports_do_no_harm(build, wheels, code):
    make_wheel(wheels, "odd", code=code)
    assert build("odd")[0].failed_imports == ()


def test_nobody_answers_a_question(build, wheels):
    make_wheel(wheels, "asks", code="input('continue? ')\n")
    assert "EOFError" in build("asks")[0].failed_imports[0]


def test_processes_that_an_import_starts_are_ended(build, wheels, tmp_path):
    pid = tmp_path / "pid"
    make_wheel(
        wheels,
        "spawns",
        code=f"import subprocess\nchild = subprocess.Popen(['sleep', '3600'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n",
    )
    assert build("spawns")[0].failed_imports == ()
    process = int(pid.read_text())
    until(lambda: not psutil.pid_exists(process) or is_zombie(process))


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
