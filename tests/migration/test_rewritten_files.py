"""Whole files before and after, as they are read by eye, and proved.

To write the files after a change of the rewriting: ``python -m tests.migration.test_rewritten_files``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.migration.versions import migrated

from scriptrun.migration.proof import prove

PLACE = Path(__file__).parent / "rewritten"
NAMES = sorted(path.name.partition(".")[0] for path in PLACE.glob("*.before.txt"))
TARGETS = ("azureml", "scriptrun")
#: files that submit nothing
UNPROVED = ("conditional_imports", "helper_module", "training_script")
SCRIPTS = (
    "src/train.py src/chainer_mnist.py src/t.py iris/train_iris.py horovod/train_horovod.py "
    "tf_mnist_replica.py t.py keras_mnist.py src/requirements.txt"
)


def before(name: str) -> str:
    return (PLACE / f"{name}.before.txt").read_text("utf-8")


def path_of(name: str) -> str:
    return "submit.ipynb" if before(name).startswith("{") else "submit.py"


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_becomes_what_a_person_would_write(name, to):
    new = migrated(before(name), to, path_of(name)).new.decode()
    assert new == (PLACE / f"{name}.{to}.txt").read_text("utf-8")


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_second_run_changes_nothing(name, to, end):
    text = before(name).replace("\n", end)
    made = migrated(text, to, path_of(name))
    new = made.new.decode()
    assert not migrated(new, to, path_of(name)).is_changed
    assert end == "\n" or "\n" not in new.replace("\r\n", "")
    assert not any(finding.what == "the file" for finding in made.findings)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNPROVED])
def test_both_say_the_same_jobs(name, tmp_path):
    for script in SCRIPTS.split():
        (tmp_path / script).parent.mkdir(exist_ok=True)
        (tmp_path / script).write_text("")
    (tmp_path / "environment.yml").write_text("dependencies:\n- python=3.8\n")
    path = tmp_path / path_of(name)
    path.write_text(before(name))
    new = (PLACE / f"{name}.scriptrun.txt").read_bytes()
    arguments = ["a-name", "--rate", "0.1"] if name == "options_of_a_parser" else []
    found = prove.prove(str(path), path.read_bytes(), new, arguments)
    assert found.standing == "the same", found


def test_there_are_enough_of_them():
    assert len(NAMES) >= 15


if __name__ == "__main__":
    for each in NAMES:
        for target in TARGETS:
            after = migrated(before(each), target, path_of(each)).new.decode()
            (PLACE / f"{each}.{target}.txt").write_text(after, "utf-8")
