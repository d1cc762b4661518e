"""What a comparison of two runs shows."""

from __future__ import annotations

import json

from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.history import compare


def recorded(workspace, **fields):
    """A run with ``fields`` in its job."""
    run = Experiment(workspace, "e").start_logging(snapshot_directory=None)
    run.complete()
    (record,) = run.path.glob("job.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), **fields}))
    return Run.find(workspace, run.id)


def test_secrets_are_masked(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    first, second = (
        recorded(
            workspace,
            variables={
                "WANDB_API_KEY": f"{word}1",
                "URL": f"https://me:{word}2@host/",
                "N": number,
            },
            arguments=["--token", f"{word}3==", "--n", number],
            command=f"train --password {word}4 --n {number}",
        )
        for word, number in (("secret", "1"), ("hidden", "2"))
    )
    found = compare.compare(first, second)
    assert found.variables == {
        "N": ("1", "2"),
        "URL": ("https://***@host/", "https://***@host/"),
        "WANDB_API_KEY": ("***", "***"),
    }
    assert found.arguments == (["--token", "***", "--n", "1"], ["--token", "***", "--n", "2"])
    assert found.job["command"] == ("train --password *** --n 1", "train --password *** --n 2")
    text = json.dumps(found.as_dict())
    assert "secret" not in text and "hidden" not in text


def test_a_missing_variable_and_one_that_is_passed_through(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    first = recorded(workspace, variables={"TOKEN": "secret"}, passed=["A"])
    second = recorded(workspace, variables={"A": ""}, passed=["TOKEN"])
    assert compare.compare(first, second).variables == {
        "A": ("(passed through)", ""),
        "TOKEN": ("***", "(passed through)"),
    }
