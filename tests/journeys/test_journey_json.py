"""Every command with --json in a real workspace: what it prints is as its schema says."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from scriptrun.cli import schemas
from scriptrun.testing.jobs import PATIENCE

SCRIPT = """
import argparse, sys
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--fail", action="store_true")
args = parser.parse_args()
run = Run.get_context()
for step in range(3):
    run.log("loss", args.lr / (step + 1), step=step)
run.log("name", "a text")
run.log("odd", float("inf"))
run.log_row("table", a=1, b=2.5)
open("outputs/model.txt", "w").write("m")
print("a line")
if args.fail:
    sys.exit("no luck")
"""
OLD = "import azureml.core\nfrom azureml.core import Nothing\n\nprint(Nothing)\n"
#: the document, the words, and the exit code, in this order in one workspace
COMMANDS = [
    ("init", "init mine", 0),
    ("run (--dry-run)", "run --dry-run train.py", 0),
    ("run", "run -n one --tag team=vision --tag plain train.py -- --lr 0.5", 0),
    ("run", "run -n two train.py -- --fail", 1),
    ("run", "run --detach -n three --requirements requirements.txt train.py", 0),
    ("logs", "logs three --follow", 0),
    ("logs", "logs one", 0),
    ("list", "list", 0),
    ("list", "list nothing-like-it", 0),
    ("list (--group-by)", "list --group-by params.lr", 0),
    ("best", "best loss", 0),
    ("best", "best loss one.two.three", 1),
    ("show", "show one", 0),
    ("show", "show two", 0),
    ("metrics", "metrics one", 0),
    ("metrics (NAME)", "metrics one loss table", 0),
    ("cancel", "cancel one two", 0),
    ("download", "download one -o files", 0),
    ("rerun (--verify)", "rerun one --verify", 0),
    ("rerun", "rerun one", 0),
    ("diff", "diff one two", 0),
    ("export", "export one --to shell", 0),
    ("sweep (--dry-run)", "sweep train.py --param lr=0.1,0.2 --metric loss --dry-run", 0),
    ("sweep", "sweep train.py --param lr=0.1,0.2 --metric loss --max-runs 2", 0),
    ("sweep (show)", "sweep show", 0),
    ("show", "show", 0),
    ("env list", "env list", 0),
    ("env build (--dry-run)", "env build --requirements requirements.txt --dry-run", 0),
    ("env build", "env build --requirements requirements.txt", 0),
    ("env show", "env show three", 0),
    ("env show", "env show scriptrun-minimal", 0),
    ("env diff", "env diff three three", 0),
    ("env alias", "env alias mine scriptrun-minimal", 0),
    ("env registry", "env registry registry.example.org/team --username me", 0),
    ("env registry", "env registry --remove", 0),
    ("env prune", "env prune --dry-run --keep 0", 0),
    ("data register", "data register rows rows.csv --tag source=lab", 0),
    ("data list", "data list", 0),
    ("data show", "data show rows", 0),
    ("data show", "data show workspaceblobstore:nowhere/**", 2),
    ("data download", "data download rows copies", 0),
    ("data upload", "data upload rows.csv workspaceblobstore:tables", 0),
    ("data show", "data show workspaceblobstore:tables", 0),
    ("data cache", "data cache", 0),
    ("data cache (prune)", "data cache prune --older-than 30d", 0),
    ("datastore add", "datastore add shelf --local shelf", 0),
    ("datastore list", "datastore list", 0),
    ("datastore show", "datastore show shelf", 0),
    ("datastore check", "datastore check shelf", 0),
    ("datastore default", "datastore default shelf", 0),
    ("datastore remove", "datastore remove shelf", 0),
    ("secret set", "secret set key", 0),
    ("secret list", "secret list", 0),
    ("secret remove", "secret remove key", 0),
    ("model register", "model register net outputs/model.txt --run one --tag a=b", 0),
    ("model list", "model list", 0),
    ("model show", "model show net", 0),
    ("model download", "model download net elsewhere", 0),
    ("lineage", "lineage net", 0),
    ("model remove", "model remove net:1", 0),
    ("compute add", "compute add small --local --max-runs 1", 0),
    ("compute set", "compute set small --max-runs 2", 0),
    ("compute list", "compute list", 0),
    ("compute show", "compute show small", 0),
    ("compute check", "compute check small", 0),
    ("compute alias", "compute alias gpu-* small", 0),
    ("compute default", "compute default small", 0),
    ("compute default", "compute default local", 0),
    ("compute remove", "compute remove small", 0),
    ("exec (--check)", "exec --check old.py", 1),
    ("migrate", "migrate old.py", 0),
    ("import", "import job.yml", 0),
    ("config set", "config set tags.team vision", 0),
    ("config list", "config list", 0),
    ("config get", "config get tags.team", 0),
    ("config get", "config get compute", 1),
    ("config path", "config path", 0),
    ("config path", "config path --user", 0),
    ("config unset", "config unset tags.team", 0),
    ("trust", "trust .", 0),
    ("trust (--list)", "trust --list", 0),
    ("doctor", "doctor", None),
    ("doctor", "doctor --fsck", 0),
    ("version", "version", 0),
    ("help", "help", 0),
    ("help", "help data show", 0),
    ("tag", "tag one quick=yes", 0),
    ("note", "note one a remark", 0),
    ("note", "note one", 0),
    ("pin", "pin one", 0),
    ("pin", "pin one --undo", 0),
    ("archive", "archive two", 0),
    ("archive", "archive two --undo", 0),
    ("remove", "remove two --dry-run", 0),
    ("remove", "remove two -y", 0),
    ("prune", "prune --removed-before 0s --dry-run", 0),
    ("prune", "prune --removed-before 0s -y", 0),
    ("rename", "rename three third", 0),
    ("wait", "wait one third", 0),
    ("open", "open one -p", 0),
    ("rerun (--dry-run)", "rerun one --dry-run", 0),
    ("env list", "env", 0),
    ("compute list", "compute", 0),
    ("serve (--test)", "serve --entry score.py --test sample.json", 0),
    ("serve (--package)", "serve --entry score.py --package image", 0),
    ("serve", "serve --entry score.py -n net --key", 0),
    ("service list", "service list", 0),
    ("service show", "service show net", 0),
    ("service logs", "service logs net", 0),
    ("service test", "service test net sample.json", 0),
    ("service keys", "service keys net", 0),
    ("service reload", "service reload net", 0),
    ("service restart", "service restart net", 0),
    ("service stop", "service stop net", 0),
    ("service start", "service start net", 0),
    ("service remove", "service remove net", 0),
    ("service list", "service", 0),
]
#: tested apart
APART = {"data mount", "env remove", "logs (last line)", "service logs (last line)"}


def strict(schema):
    """The schema without fields that it does not describe."""
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            return {"additionalProperties": False, **schema}
    elif isinstance(schema, list):
        return [strict(each) for each in schema]
    return schema


def problems(document, schema) -> list[str]:
    found = Draft202012Validator(strict(schema)).iter_errors(document)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


@pytest.fixture
def equipped(user):
    user.writes("train.py", SCRIPT)
    user.writes("requirements.txt", "")
    user.writes("rows.csv", "a,b\n1,2\n")
    user.writes("old.py", OLD)
    user.writes("score.py", "def init():\n    print(1)\n\ndef run(data):\n    return data\n")
    user.writes("sample.json", "{}")
    user.writes("shelf/file.txt", "")
    user.writes("job.yml", "command: python train.py\nenvironment: azureml:e@latest\n")
    return user


@pytest.mark.slow
def test_every_document_is_as_its_schema_says(equipped):
    wrong, seen = [], set()
    for key, line, code in COMMANDS:
        words = line.split()
        done = equipped.types(*words[:1], "--json", *words[1:], stdin="value")
        assert code in (None, done.code), (line, done)
        document = schemas.DOCUMENTS[key]
        printed = done.out.splitlines() if document.is_stream else [done.out]
        last = printed.pop() if document.is_stream else None
        for text in printed:
            value = json.loads(text)
            is_error = code == 2 and "error" in value
            schema = (schemas.ERROR if is_error else document).schema(key)
            wrong += [f"{line}: {each}" for each in problems(value, schema)]
            seen |= set() if is_error else {key}
        if last is not None:
            end = schemas.DOCUMENTS["logs (last line)"].schema("end")
            wrong += [f"{line}: {each}" for each in problems(json.loads(last), end)]
    assert not wrong, "\n".join(wrong)
    assert sorted(seen) == sorted({*schemas.DOCUMENTS} - APART)


def test_the_rest(equipped):
    equipped.does("data", "register", "rows", "rows.csv")
    equipped.does("env", "build", "--requirements", "requirements.txt")
    (entry,) = equipped.does("env", "list", "--json", "--built").json["built"]
    removed = equipped.does("env", "remove", entry["key"], "--json").json
    assert not problems(removed, schemas.DOCUMENTS["env remove"].schema(""))
    words = equipped.argv("data", "mount", "rows", "mounted", "--json")
    process = subprocess.Popen(
        words, cwd=equipped.here, env=equipped.environ, stdout=subprocess.PIPE, text=True
    )
    text = "".join(iter(process.stdout.readline, "}\n")) + "}"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert not problems(json.loads(text), schemas.DOCUMENTS["data mount"].schema(""))


def test_an_error_is_a_document_beside_its_text(equipped):
    for line in (
        "lst --json",
        "show nothing --json",
        "run --json nothing.py",
        "list --json --jsn",
        "compute --json show nothing",
        "list (a --json",
    ):
        done = equipped.types(*line.split())
        assert not problems(done.json, schemas.ERROR.schema("")), done
        error = done.json["error"]
        assert error["exit_code"] == done.code == 2
        assert error["message"].splitlines()[0] in done.err
        assert (error["hint"] or "").splitlines()[:1] == [] or error["hint"].split("\n")[
            0
        ] in done.err
    script = equipped.writes("own.py", "import sys\nprint(sys.argv[1:])\nsys.exit('no')\n")
    done = equipped.types("exec", script, "--json")
    assert (done.code, done.out) == (1, "['--json']\n")


PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "scripting.md"


def block(language: str, mark: str) -> str:
    """The block of the page in ``language`` after the comment ``mark``."""
    text = PAGE.read_text("utf-8")
    return text.partition(f"<!-- {mark} -->\n```{language}\n")[2].partition("```")[0]


@pytest.mark.skipif(not shutil.which("jq"), reason="this machine has no jq")
def test_the_recipes_with_jq(equipped):
    equipped.types("run", "-n", "one", "train.py", "--", "--lr", "0.5")
    equipped.types("run", "-n", "two", "train.py", "--", "--lr", "0.4", "--fail")
    one, two = (equipped.does("show", name, "--json").json["id"] for name in ("one", "two"))
    equipped.does("compute", "add", "off", "--local")
    recipes = block("sh", "not run: jq may be missing").replace("RUN ", "one ")
    recipes = recipes.replace("accuracy", "loss")
    path = f"{Path(equipped.argv()[0]).parent}:{equipped.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", recipes],
        cwd=equipped.here,
        env={**equipped.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == two  # the lowest loss, although it failed
    assert lines[1].split("\t")[0] == one
    assert lines[2:] == [f"{two}: train.py exited with code 1: no luck", "0.5"]


@pytest.mark.skipif(not shutil.which("make"), reason="this machine has no make")
def test_the_makefile(user):
    text = PAGE.read_text("utf-8")
    user.writes("train.py", text.partition("```python\n")[2].partition("```")[0])
    user.writes("Makefile", block("make", "file: Makefile"))
    user.writes("params.txt", block("text", "file: params.txt"))
    environ = {**user.environ, "PATH": f"{Path(user.argv()[0]).parent}:{user.environ['PATH']}"}

    def makes(*targets):
        done = subprocess.run(
            ["make", *targets], cwd=user.here, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    makes("plan", "build/model.txt")
    assert (user.here / "build" / "model.txt").read_text() == "0.7\n"
    assert "up to date" in makes("build/model.txt")
    assert [run["tags"] for run in user.runs()] == [{"make": None}]
