"""From a script to an answering service, as a user does it on the command line."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request

import pexpect
import pytest

from scriptrun.testing.jobs import PATIENCE

SCORE = """
import json

def init():
    print("ready to score")

def run(data):
    numbers = json.loads(data)["data"]
    return {"sum": sum(numbers), "by": %r}
"""


@pytest.fixture
def serving(user):
    """The user with a script and a sample; services that remain are removed at the end."""
    user.writes("score.py", SCORE % "first")
    user.writes("sample.json", '{"data": [1, 2, 3]}')
    yield user
    if (user.here / ".scriptrun").exists():
        found = json.loads(user.does("service", "list", "--json").out)["services"]
        if found:
            user.does("service", "remove", *[each["name"] for each in found])


def fails(user, *words, code=1):
    """Type a command that has to fail; its output may hold the traceback of the user's script."""
    done = subprocess.run(
        user.argv(*words),
        cwd=user.here,
        env=user.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done
    assert "scriptrun/cli" not in done.stderr
    return done


def posted(url, body, key=None):
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.loads(response.read())


def test_a_script_is_tried_out(serving):
    done = serving.does("serve", "--entry", "score.py", "--test", "sample.json")
    assert json.loads(done.out) == {"sum": 6, "by": "first"}
    assert "ready to score" in done.err
    serving.writes("wrong.json", '{"rows": []}')
    failed = fails(serving, "serve", "--entry", "score.py", "--test", "wrong.json")
    assert "KeyError: 'data'" in failed.stderr
    assert "unexpected error" in failed.stdout
    document = serving.does("serve", "--entry", "score.py", "--test", "sample.json", "--json")
    assert json.loads(document.out)["answered"] is True


def test_a_service_from_start_to_end(serving):
    started = serving.does("serve", "--entry", "score.py", "--detach", "-n", "sums")
    assert "curl --json @sample.json http://127.0.0.1:" in started.out
    url = started.out.split("answers at ")[1].split()[0]
    assert posted(url, '{"data": [4]}') == {"sum": 4, "by": "first"}
    assert json.loads(serving.does("service", "test", "sums", "sample.json").out)["sum"] == 6
    assert "Healthy" in serving.does("service", "list").out
    assert "need no key" in serving.does("service", "show", "sums").out
    assert "ready to score" in serving.does("service", "logs", "sums").out
    lines = serving.does("service", "logs", "sums", "--json").out.splitlines()
    assert json.loads(lines[-1])["run"]["state"] == "Running"

    serving.writes("score.py", SCORE % "second")
    assert url in serving.does("service", "reload", "sums").out
    assert posted(url, '{"data": []}') == {"sum": 0, "by": "second"}
    serving.writes("score.py", "def init(): raise ValueError('no model')\ndef run(data): pass\n")
    refused = fails(serving, "service", "reload", "sums")
    assert (
        "ValueError: no model" in refused.stderr and "keeps answering as before" in refused.stderr
    )
    assert posted(url, '{"data": []}')["by"] == "second"

    taken = fails(serving, "serve", "--entry", "score.py", "-n", "sums", code=2)
    assert "--replace" in taken.stderr
    assert "Stopped sums" in serving.does("service", "stop", "sums").out
    ended = fails(serving, "service", "test", "sums", "sample.json")
    assert "does not answer: it is Stopped" in ended.stderr
    assert url in serving.does("service", "start", "sums").out
    assert "already running" in serving.does("service", "start", "sums").out
    assert "Removed sums" in serving.does("service", "remove", "sums").out
    assert "No services." in serving.does("service", "list").out


def test_callers_send_a_key(serving):
    words = ("serve", "--entry", "score.py", "-n", "locked", "--key", "--json")
    record = json.loads(serving.does(*words).out)
    assert (record["auth"], record["state"]) == ("key", "Healthy")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        posted(record["url"], '{"data": [1]}')
    key = serving.does("service", "keys", "locked", "--primary").out.strip()
    assert posted(record["url"], '{"data": [1]}', key)["sum"] == 1
    assert json.loads(serving.does("service", "test", "locked", "sample.json").out)["sum"] == 6
    new = json.loads(
        serving.does("service", "keys", "locked", "--regenerate", "primary", "--json").out
    )
    assert new["primary"] != key
    with pytest.raises(urllib.error.HTTPError, match="401"):
        posted(record["url"], '{"data": [1]}', key)


def test_what_cannot_start_says_why(serving):
    serving.writes("score.py", "def init(): raise ValueError('no model')\ndef run(data): pass\n")
    failed = fails(serving, "serve", "--entry", "score.py")
    assert "Traceback" in failed.stdout and "ValueError: no model" in failed.stderr
    detached = fails(serving, "serve", "--entry", "score.py", "-n", "other", "-d")
    assert "ValueError: no model" in detached.stderr
    again = fails(serving, "serve", "--entry", "score.py")  # one that failed needs no --replace
    assert "already exists" not in again.stderr
    serving.writes("score.py", SCORE % "mended")
    assert "answers at" in serving.does("serve", "--entry", "score.py", "-d").out
    taken = fails(serving, "serve", "--entry", "score.py", "-d", code=2)
    assert "Service 'score' already exists." in taken.stderr
    serving.writes("object.py", "def init(): pass\ndef run(data): return object()\n")
    wrong = fails(serving, "serve", "--entry", "object.py", "--test", "sample.json")
    assert "run() returned what JSON cannot represent" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    serving.writes("nothing.py", "x = 1\n")
    missing = fails(serving, "serve", "--entry", "nothing.py", "--test", "sample.json")
    assert "has no function init" in missing.stderr


def test_ctrl_c_asks_before_it_stops_the_service(serving):
    argv = serving.argv("serve", "--entry", "score.py", "-n", "live")
    terminal = pexpect.spawn(
        argv[0], argv[1:], cwd=serving.here, env=serving.environ, timeout=PATIENCE, encoding="utf-8"
    )
    terminal.expect("answers at ")
    terminal.sendintr()
    terminal.expect("again within")
    terminal.sendintr()
    terminal.expect("Canceled")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert "Stopped" in serving.does("service", "list").out


def test_a_package_is_written(serving):
    words = ("serve", "--entry", "score.py", "--package", "image")
    done = serving.does(*words, "--workers", "2")
    assert "docker build -t score:latest image" in done.out
    assert (serving.here / "image" / "Dockerfile").is_file()
    order = json.loads((serving.here / "image" / "service.json").read_text())
    assert (order["workers"], order["port"], order["entry_script"]) == (2, 5001, "score.py")
    serving.does(*words)  # a package that was saved before is replaced
    (serving.here / "full").mkdir()
    (serving.here / "full" / "mine.txt").write_text("mine")
    full = fails(serving, *words[:-1], "full", code=2)
    assert "exists and is not empty" in full.stderr
    other = fails(serving, *words, "--port", "8000", code=2)
    assert "--package and --port cannot be combined" in other.stderr
