"""``scriptrun run --plan`` tells what would happen, and does nothing."""

from __future__ import annotations

import hashlib
import os


def state_of(*roots):
    """Everything below ``roots``: names, contents and times of folders."""
    found = {}
    for root in roots:
        for folder, _, names in os.walk(root):
            found[folder] = os.stat(folder).st_mtime_ns
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as handle:
                    found[path] = hashlib.sha256(handle.read()).hexdigest()
    return found


def test_nothing_is_written(user):
    user.writes("train.py", "print('ran')\n")
    user.writes("requirements.txt", "six==1.16.0\n")
    kept = os.environ["SCRIPTRUN_CACHE"]
    before = state_of(user.here, kept)
    done = user.does("run", "--plan", "--requirements", "requirements.txt", "train.py", "--", "a b")
    assert state_of(user.here, kept) == before
    assert "ran" not in done.out.split()
    assert "python train.py 'a b'" in done.out
    assert "six==1.16.0" in done.out
    assert "nothing was written" in done.out


def test_files_sizes_and_the_rules_that_leave_some_out(user):
    user.writes("train.py", "x" * 1000)
    user.writes(".gitignore", "*.log\ndata/\n")
    user.writes("a.log", "")
    user.writes("data/big.bin", "")
    found = user.does("run", "--plan", "--json", "train.py").json
    assert found["files"] == {".gitignore": 12, "train.py": 1000}
    assert found["ignored"]["a.log"] == "*.log (.gitignore:1)"
    assert found["ignored"]["data/"] == "data/ (.gitignore:2)"
    assert found["size"] == 1012
    text = user.does("run", "--plan", "train.py").out
    assert "1.0 kB  train.py" in text
    assert "a.log  (*.log (.gitignore:1))" in text


def test_a_script_that_is_left_out_is_told(user):
    user.writes("train.py", "")
    user.writes(".amlignore", "train.py\n")
    for words in (["run", "--plan", "train.py"], ["run", "train.py"]):
        refused = user.types(*words)
        assert refused.code == 2
        assert "'train.py' is not part of the snapshot: train.py (.amlignore:1)" in refused.err


def test_whether_the_environment_is_built(user):
    user.writes("train.py", "")
    user.writes("requirements.txt", "")
    words = ["run", "--plan", "--json", "--requirements", "requirements.txt", "train.py"]
    assert user.does(*words).json["environment"]["cached"] is False
    user.does("env", "build", "--requirements", "requirements.txt")
    found = user.does(*words).json["environment"]
    assert found["cached"] is True
    assert os.path.isdir(found["place"])


def test_bad_input_is_refused_as_without_plan(user):
    user.writes("train.py", "")
    assert user.types("run", "--plan", "--compute", "gpu", "train.py").code == 2


def test_a_tree_with_many_files_is_shown_in_part(user):
    for n in range(60):
        user.writes(f"d/{n:02}.txt", "")
    user.writes("train.py", "")
    out = user.does("run", "--plan", "train.py").out
    assert "61 files" in out
    assert "and 41 more" in out
