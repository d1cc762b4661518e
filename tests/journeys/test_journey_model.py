"""``scriptrun model`` as a user types it: from a run's output to files elsewhere, and back."""

from __future__ import annotations

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
    (latest,) = user.does("models", "list", "--json").json
    assert (latest["id"], latest["run_id"]) == ("net:2", None)
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
