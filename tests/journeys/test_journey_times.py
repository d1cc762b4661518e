"""Where did the hour go? One command says it."""

from __future__ import annotations

import time

GATED = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


def phases(record, attempt=0):
    return record["times"][attempt]["seconds"]


def test_show_says_where_the_time_went(user):
    user.writes("data/a.txt", "a")
    user.writes("store/x", "")
    user.does("datastore", "add", "kept", "--local", user.here / "store")
    user.writes(
        "train.py", "import os, sys\nopen(os.path.join(sys.argv[1], 'o'), 'w').write('x')\n"
    )
    data = ["--input", "d=data:download", "--output", "out=kept:res/{run-id}:upload"]
    before = time.time()
    user.does("run", *data, "train.py", "--", "{out}")
    took = time.time() - before
    record = user.does("show", "--json").json
    expected = ["submitting", "queued", "snapshot", "data", "script", "upload", "finalizing"]
    assert list(phases(record)) == expected
    assert all(seconds >= 0 for seconds in phases(record).values())
    assert 0 < sum(phases(record).values()) < took
    shown = user.does("show", "--times").out
    for label in ("waiting in the queue", "preparing the data", "uploading the outputs", "total"):
        assert f"\n  {label} " in shown
    assert record["times"][0]["state"] == "Completed"


def test_attempts_wait_and_run_on_their_own(user):
    user.writes(
        "fails.py", "import os, sys\nsys.exit(3 if not os.path.exists(sys.argv[1]) else 0)\n"
    )
    user.types("run", "--retries", "1", "--retry-on", "exit:3", "fails.py", "--", "nowhere")
    record = user.does("show", "--json").json
    assert [each["state"] for each in record["times"]] == ["Failed", "Failed"]
    assert "submitting" in phases(record) and "submitting" not in phases(record, 1)
    assert {"queued", "script"} <= phases(record, 1).keys()
    shown = user.does("show", "--times").out
    assert "times of attempt 1 (Failed)" in shown and "times of attempt 2 (Failed)" in shown


def test_active_runs_so_far_and_the_field_waited(user):
    user.does("compute", "set", "local", "--max-runs", "1")
    user.writes("gated.py", GATED)
    words = ["gated.py", "--", user.here / "go"]
    first = user.does("run", "-d", *words).out.strip()
    user.waits_for("Running", first)
    second = user.does("run", "-d", *words).out.strip()
    assert "running the script" in user.does("show", first, "--times").out
    assert "so far" in user.does("show", first, "--times").out
    queued = user.does("show", second, "--times").out
    assert next(line for line in queued.splitlines() if "so far" in line).startswith(
        "  waiting in the queue"
    )
    (user.here / "go").touch()
    user.does("wait", first, second)
    rows = user.does("list", "--columns", "id,waited", "--sort", "-waited", "--csv").out.split()
    assert rows[0] == "id,waited" and rows[1].startswith(f"{second},")
    waited = float(rows[1].partition(",")[2])
    assert waited > phases(user.does("show", second, "--json").json)["queued"]
    assert second in user.does("list", f"waited>{waited / 2}").out


def test_a_sweep_names_the_list_of_its_runs(user):
    user.writes("t.py", "from scriptrun import Run\nRun.get_context().log('m', 1)\n")
    user.does("sweep", "t.py", "--param", "x=1,2", "--metric", "m", "--max-runs", "2")
    shown = user.does("show", "--times").out
    assert "  running its runs " in shown and "scriptrun list --columns id,waited,duration" in shown
