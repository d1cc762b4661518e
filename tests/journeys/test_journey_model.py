"""``scriptrun model`` as a user types it: from a run's output to files elsewhere, and back."""

from __future__ import annotations

from scriptrun.testing.jobs import until

SCRIPT = "open('outputs/model.txt', 'w').write('weights')\n"


def test_a_model_is_registered_shown_and_brought(user):
    user.writes("train.py", SCRIPT)
    run = user.does("run", "--detach", "train.py").out.strip()
    user.does("logs", "--follow")
    words = ("--run", run, "--tag", "by=hand", "--framework", "Custom", "--description", "digits")
    assert user.does("model", "register", "net", "outputs/model.txt", *words).out == (
        "Registered net:1\n"
    )
    user.does("models", "register", "net", "train.py")  # as some people say it
    (latest,) = user.does("models", "list", "--json").json["models"]
    assert (latest["id"], latest["run"]) == ("net:2", None)
    rows = user.does("model", "list", "net").out.splitlines()
    assert len(rows) == 3 and run in rows[2] and "by=hand" in rows[2]
    assert "no matching models" in user.does("model", "list", "--tag", "by=me").out.lower()
    shown = user.does("model", "show", "net:1").out
    for said in (run, "by=hand", "Custom", "digits", "model.txt  7 B"):
        assert said in shown
    assert user.does("model", "download", "net:1", "there").out == "there/model.txt\n"
    assert (user.here / "there/model.txt").read_text() == "weights"
    again = user.types("model", "download", "net:1", "there")
    assert again.code == 2 and "--force" in again.err
    user.does("model", "download", "net:1", "there", "--force")
    told = user.does("lineage", "net:1").out
    assert run in told and "snapshot" in told and "lock" in told
    assert user.does("model", "remove", "net:2").out == "Removed net:2\n"
    assert user.does("lineage", "net", "--json").json["model"]["id"] == "net:1"
    for words in (
        ("show", "nobody"),
        ("show", "net:7"),
        ("remove", "net"),
        ("register", "a/b", "."),
    ):
        done = user.types("model", *words)
        assert done.code == 2 and len(done.err.splitlines()) == 2, done.err


def test_a_model_of_a_failed_run_needs_force_and_lineage_says_so(user):
    user.writes("fails.py", SCRIPT + "raise SystemExit(3)\n")
    run = user.types("run", "--detach", "fails.py").out.strip()
    user.types("logs", "--follow")
    words = ("model", "register", "net", "outputs/model.txt", "--run", run)
    refused = user.types(*words)
    assert refused.code == 2 and "failed" in refused.err and "--force" in refused.err
    assert user.does("model", "list").out.startswith("No models")
    forced = user.does(*words, "--force")
    assert forced.out == "Registered net:1\n" and "may be incomplete" in forced.err
    assert "Failed at registration" in user.does("model", "show", "net").out
    assert "the run failed" in user.does("lineage", "net").out
    trace = user.does("lineage", "net", "--json").json
    assert trace["model"]["run_state"] == trace["run"]["state"] == "Failed"


def test_a_model_of_a_run_that_goes_on_needs_force(user):
    waits = "import os, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)\n"
    user.writes("waits.py", "import sys\n" + SCRIPT + waits)
    gate = user.here / "gate"
    run = user.does("run", "--detach", "waits.py", "--", gate).out.strip()
    user.waits_for("Running", run)
    words = ("model", "register", "net", "outputs/model.txt", "--run", run)
    until(lambda: user.types("download", run, "outputs/model.txt").code == 0)
    assert "has not ended" in user.types(*words).err
    user.does(*words, "--force")
    gate.touch()
    user.does("logs", "--follow", run)
    assert "registered before the run had ended (Running)" in user.does("lineage", "net").out


def test_files_of_the_source_are_registered_and_downloaded_only_by_name(user):
    user.writes("outputs/labels.txt", "cat")
    user.writes("train.py", SCRIPT)
    user.does("run", "train.py")
    assert "and 1 of the source directory that the run did not change" in user.does("show").out
    assert user.does("download").out == "outputs/model.txt\n"
    assert user.does("download", "outputs/labels.txt", "-o", "there").out == "there/labels.txt\n"
    run = user.runs()[0]["id"]
    refused = user.types("model", "register", "net", "outputs/labels.txt", "--run", run)
    assert refused.code == 2 and "unchanged from the source" in refused.err
    user.does("model", "register", "net", "outputs", "--run", run)
    (file,) = user.does("model", "show", "net", "--json").json["files"]
    assert file["path"] == "outputs/model.txt"


def test_a_line_break_in_a_name_does_not_break_lines(user):
    user.writes("a\nb.txt", "x")
    user.does("model", "register", "net", "a\nb.txt", "--tag", "by=me\nyou")
    for words in (("model", "show", "net"), ("lineage", "net"), ("model", "list")):
        assert not [
            line for line in user.does(*words).out.splitlines() if line.strip() in ("b.txt", "you")
        ]
    assert len(user.does("model", "download", "net", "there").out.splitlines()) == 1
