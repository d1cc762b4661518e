"""Wheels of one's own, kept in the workspace."""

import os
import shutil
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun import CondaDependencies, Environment, Run, Workspace
from scriptrun.history import rerun
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import paths
from scriptrun.testing.jobs import Bench, log_of, wait


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "a bench")


def test_a_wheel_is_kept_and_used_after_its_file_is_gone(bench, tmp_path):
    wheel = make_wheel(tmp_path, "mauve", "4")
    address = Environment.add_private_pip_wheel(bench.workspace, wheel)
    assert address.startswith("file:///") and address.endswith("/mauve-4-py3-none-any.whl")
    wheel.unlink()
    (tmp_path / "requirements.txt").write_text(f"--no-index\n{address}\n")
    run = bench.submit(
        "import mauve; print('it is', mauve.VERSION)",
        requirements=str(tmp_path / "requirements.txt"),
    )
    assert wait(run) == "Completed", run.standing
    assert "it is 4" in log_of(run)


def test_a_moved_workspace_has_its_wheels(bench, tmp_path):
    address = Environment.add_private_pip_wheel(bench.workspace, make_wheel(tmp_path, "mauve", "4"))
    environment = Environment("mine")
    dependencies = CondaDependencies()
    dependencies.add_pip_package(address)
    environment.python.conda_dependencies = dependencies
    environment.register(bench.workspace)
    (tmp_path / "requirements.txt").write_text(f"--no-index\n{address}\n")
    first = bench.submit("import mauve", requirements=str(tmp_path / "requirements.txt"))
    assert wait(first) == "Completed", first.standing
    os.rename(bench.root, tmp_path / "moved")
    shutil.rmtree(paths.cache_folder("environments"))
    moved = Workspace(tmp_path / "moved")
    (line,) = [
        line
        for line in Environment.get(moved, "mine").python.conda_dependencies.pip_packages
        if "mauve" in line
    ]
    assert line == address.replace("a%20bench", "moved") and Path(line[7:]).exists()
    again = rerun.start(Run.get(moved, first.id)).run
    assert wait(again) == "Completed", again.standing


def test_the_same_name_again(bench, tmp_path):
    wheel = make_wheel(tmp_path, "mauve", "4")
    first = Environment.add_private_pip_wheel(bench.workspace, str(wheel))
    with pytest.raises(UserErrorException, match="with the same content"):
        Environment.add_private_pip_wheel(bench.workspace, wheel)
    assert Environment.add_private_pip_wheel(bench.workspace, wheel, exist_ok=True) == first
    make_wheel(tmp_path, "mauve", "4", needs=("six",))
    with pytest.raises(UserErrorException, match="with different content"):
        Environment.add_private_pip_wheel(bench.workspace, wheel)
    second = Environment.add_private_pip_wheel(bench.workspace, wheel, True)
    assert second != first, "existing environments keep the old wheel"


def test_what_is_no_wheel(bench, tmp_path):
    (tmp_path / "x.txt").write_text("")
    (tmp_path / "mauve-4-py3-none-any.whl").write_text("no zip")
    (tmp_path / "mauve-4.tar.gz").write_text("no tar")
    for name, said in (
        ("mauve-4.tar.gz", "is not a valid archive"),
        ("absent.whl", "does not exist"),
        ("x.txt", "Invalid wheel name"),
        ("mauve-4-py3-none-any.whl", "is not a valid wheel"),
    ):
        with pytest.raises(UserErrorException, match=said):
            Environment.add_private_pip_wheel(bench.workspace, tmp_path / name)
