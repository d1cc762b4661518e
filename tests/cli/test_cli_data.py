"""`scriptrun data`, `datastore` and `secret`, on real storage."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
import servers

from scriptrun.cli import main
from scriptrun.cli.options import data as data_options
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.testing.jobs import PATIENCE

COMMAND = Path(sys.executable).parent / "scriptrun"
KEY = servers.ACCOUNT_KEY


class Typed:
    """What the command wrote, and what it ended with."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in err and "bug" not in err, err

    @property
    def json(self):
        value = json.loads(self.out)
        assert value.pop("schema") == 1
        return value


@pytest.fixture
def types(tmp_path, monkeypatch, capsys):
    """``types(word, ..., stdin=text)`` runs a command in a fresh project."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", str(PATIENCE))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def run(*words, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        if words[0] == "run":  # which may fork: not this process
            done = subprocess.run([COMMAND, *words], capture_output=True, text=True)
            return Typed(done.returncode, done.stdout, done.stderr)
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Typed(code, captured.out, captured.err)

    return run


@pytest.fixture
def does(types):
    def run(*words, **more):
        done = types(*words, **more)
        assert done.code == 0, done.err
        return done

    return run


def write(files):
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    with servers.s3(folder) as address:
        yield address


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    with servers.azurite(tmp_path_factory.mktemp("azurite")) as address:
        servers.make_container(address, "box")
        yield address


@pytest.fixture
def web():
    with servers.web() as state:
        yield state


def test_a_secret_is_kept_for_its_owner_alone_and_never_shown(types, does, tmp_path):
    said = does("secret", "set", "blob-key", stdin="s3cr3t\n")
    kept = tmp_path / "secrets" / "blob-key"
    assert "s3cr3t" not in kept.read_text() and stat.S_IMODE(kept.stat().st_mode) == 0o600
    listed = does("secret", "list")
    assert "blob-key" in listed.out and "s3cr3t" not in listed.out + said.out
    does("init")
    does("secret", "set", "blob-key", "--workspace", stdin="0ther\n")
    assert does("secret", "list").out.count("blob-key") == 2
    does("secret", "remove", "blob-key", "--workspace")
    assert kept.is_file() and does("secret", "list").out.count("blob-key") == 1
    does("secret", "remove", "blob-key")
    gone = types("secret", "remove", "blob-key")
    assert gone.code == 2 and "Secret 'blob-key' not found" in gone.err
    empty = types("secret", "set", "blob-key", stdin="")
    assert empty.code == 2 and "is empty" in empty.err and not kept.exists()
    refused = types("secret", "set", "blob-key", "s3cr3t")
    assert refused.code == 2 and not kept.exists()


def test_variables_come_first_and_are_listed(does, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", "value")
    assert "SCRIPTRUN_SECRET_MINE" in does("secret", "list").out
    assert "takes precedence" in does("secret", "set", "mine", stdin="other").out


@pytest.mark.stores
def test_a_bucket_is_added_checked_and_removed(types, does, s3):
    does("secret", "set", "keys", stdin=servers.S3_KEYS)
    add = ("datastore", "add", "bucket", "--s3", "--bucket", "bucket", "--endpoint", s3)
    does(*add, "--root", "checked", "--secret", "keys")
    found = does("datastore", "check", "bucket", "--json").json
    assert found["may"] == {"list": True, "write": True, "read": True, "delete": True}
    assert does("datastore", "list", "--json").json["datastores"][-1]["class"] == "S3"
    does("secret", "set", "keys", stdin="wrong:wrong")
    wrong = types("datastore", "check", "bucket")
    assert wrong.code == 3 and "access key" in wrong.err and "wrong:wrong" not in wrong.err
    again = types(*add)
    assert again.code == 2 and "--overwrite" in again.err
    does(*add, "--secret", "keys", "--overwrite")
    does("datastore", "default", "bucket")
    assert does("datastore", "default").out == "bucket\n"
    does("datastore", "remove", "bucket")
    assert does("datastore", "default").out == "workspaceblobstore\n"


@pytest.mark.stores
def test_a_container_is_checked_with_right_and_wrong_keys(types, does, azurite):
    does("secret", "set", "key", stdin=KEY)
    add = ("datastore", "add", "box", "--azure-blob", "--container", "box", "--overwrite")
    add += ("--account", servers.ACCOUNT, "--endpoint", azurite)
    does(*add, "--secret", "key")
    assert does("datastore", "check", "box").out.split() == (
        "list yes write yes read yes delete yes".split()
    )
    does("secret", "set", "key", stdin="A" * 86 + "==")
    wrong = types("datastore", "check", "box")
    assert wrong.code == 3 and "invalid key" in wrong.err
    does("secret", "remove", "key")
    gone = types("datastore", "check", "box")
    assert gone.code == 3 and "Secret 'key' not found" in gone.err
    does("secret", "set", "key", stdin=KEY)
    does(*["nothere" if word == "box" and add[n - 1] == "--container" else word
           for n, word in enumerate(add)], "--secret", "key")  # fmt: skip
    assert "container does not exist" in types("datastore", "check", "box").err


def test_an_address_can_only_be_read(types, does, web):
    web.files["/a/1.txt"] = b"one"
    does("datastore", "add", "web", "--http", f"{web.address}/a")
    found = does("datastore", "check", "web").out
    assert found.count("are read-only") == 3 and "the server responds" in found
    assert does("datastore", "check", "web", "--path", "1.txt", "--json").json["may"]["read"]
    missing = types("datastore", "check", "web", "--path", "2.txt")
    assert missing.code == 3 and "File '2.txt' not found" in missing.err
    refused = types("datastore", "add", "tell", "--http", "http://me:pw@localhost/")
    assert refused.code == 2 and "pw" not in refused.err


def test_a_check_leaves_nothing_and_can_keep_from_writing(types, does, tmp_path):
    write({"photos/1.txt": "one"})
    does("datastore", "add", "photos", "--local", "photos")
    does("datastore", "check", "photos")
    assert os.listdir("photos") == ["1.txt"]
    found = does("datastore", "check", "photos", "--read-only", "--json").json
    assert found["may"] == {"list": True, "write": None, "read": True, "delete": None}
    does("datastore", "add", "sftp", "--sftp", "sftp://me@127.0.0.1:1/data")
    unreachable = types("datastore", "check", "sftp")
    assert unreachable.code == 3 and "sftp" in unreachable.err


def test_everything_wrong_with_a_new_datastore_is_said_at_once(types):
    both = types("datastore", "add", "x", "--s3", "--gcs")
    assert both.code == 2 and "got --s3 and --gcs" in both.err
    none = types("datastore", "add", "x")
    assert "got none" in none.err
    wrong = types("datastore", "add", "x", "--azure-blob", "--bucket", "b", "--option", "a=b")
    for part in ("--account", "--container", "--bucket is not valid", "--option is not valid"):
        assert part in wrong.err
    told = types("datastore", "add", "x", "--fsspec", "ftp://h/", "--option", "password=hidden")
    assert told.code == 2 and "looks like a credential" in told.err and "hidden" not in told.err
    assert "Invalid datastore name" in types("datastore", "add", "a-b", "--local", ".").err
    assert not Path(".scriptrun/datastores").exists() or os.listdir(".scriptrun/datastores") == []


@pytest.mark.stores
def test_files_go_up_are_registered_and_come_back(types, does, s3, web):
    web.files["/labels.csv"] = b"a,b\n"
    names = {"pics/a/1.bin": "one", "pics/ä b%.bin": "two", "more.txt": "three"}
    write(names)
    does("secret", "set", "keys", stdin=servers.S3_KEYS)
    does("datastore", "add", "bucket", "--s3", "--bucket", "bucket", "--endpoint", s3,
         "--root", "moved", "--secret", "keys")  # fmt: skip
    up = does("data", "upload", "pics", "more.txt", "bucket:in", "--json").json
    assert up == {"files": 3, "size": 11, "skipped": 0}
    assert does("data", "upload", "pics", "bucket:in", "--json").json["skipped"] == 2
    made = does("data", "register", "all", "bucket:in", f"{web.address}/labels.csv", "--json").json
    assert (made["version"], made["files"], made["size"]) == (1, 4, 15)
    shown = does("data", "show", "all", "--json").json
    assert "bucket/in/a/1.bin" in [each["path"] for each in shown["listed"]]
    shown = does("data", "show", "bucket:in").out
    assert "3, 11 B" in shown and "ä b%.bin" in shown
    down = does("data", "download", "all@1", "out", "--json").json
    assert (down["files"], down["size"]) == (4, 15)
    assert Path("out/bucket/in/ä b%.bin").read_text() == "two"
    there = types("data", "download", "all", "out")
    assert there.code == 2 and "--overwrite" in there.err
    does("data", "download", "all", "out", "--overwrite")
    does("data", "download", "bucket:in/a", "part")
    assert Path("part/1.bin").read_text() == "one"
    web.files["/labels.csv"] = b"c,d\n"
    changed = types("data", "download", "all", "again")
    assert (
        changed.code == 2 and "has changed" in changed.err and "version 1 of 'all'" in changed.err
    )


def test_versions_are_numbered_and_what_is_the_same_keeps_its_number(types, does):
    write({"in/1.csv": "a;b\n1;2\n"})
    register = ("data", "register", "t", "in", "--tabular", "delimited", "--separator", ";")
    assert "version 1: 1 file," in does(*register, "--tag", "k=v").out
    assert "(unchanged)" in does(*register, "--tag", "k=v").out
    write({"in/2.csv": "a;b\n3;4\n"})
    assert "version 2: 2 files" in does(*register).out
    assert does("data", "list", "--json").json["datasets"][0]["version"] == 2
    shown = does("data", "show", "t@1")
    assert "1 of 1, 2" in shown.out and "separator: ;" in shown.out and "k=v" in shown.out
    assert "use t@2" in types("data", "show", "t:2").err


def test_wrong_names_are_one_sentence_each(types, does):
    write({"in/1.txt": "one"})
    does("data", "register", "some", "in")
    for words, part in [
        (("show", "none"), "Dataset 'none' not found"),
        (("show", "some@7"), "no version 7"),
        (("show", "some@new"), "Invalid dataset version 'new'"),
        (("register", "x", "nostore:a"), "Datastore 'nostore' not found"),
        (("register", "x", "workspaceblobstore:a/*.gz"), "No files found at a/*.gz"),
        (("register", "x", "nothing-here"), "'nothing-here' does not exist"),
        (("register", "x", ""), "The path of the data is empty"),
        (("register", "x", "in/*.csv"), "No files found at"),
        (("register", "x", "https://h/?sig=abc"), "contains a credential"),
        (("register", "x", "in", "--no-header"), "requires --tabular delimited"),
        (("register", "x", "in", "--tabular", "xls"), "Invalid --tabular 'xls'"),
        (("lst",), "Did you mean `scriptrun data list`?"),
        (("register", "x", "in", "--tabular", "jsn"), "Did you mean 'json'?"),
        (("upload", "in", "here"), "not name a datastore"),
        (("upload", "gone", "workspaceblobstore:x"), "not found: 'gone'"),
        (("upload", "in", "workspaceblobstore:../x"), "is outside"),
        (("upload", "in/1.txt", "in", "workspaceblobstore:x"), "would both upload to"),
        (("mount", "none", "m"), "Dataset 'none' not found"),
        (("cache", "prune", "--older-than", "old"), "Invalid age"),
        (("cache", "prune", "--max-size", "big"), "Invalid size"),
        (("cache", "--max-size", "1GB"), "prune"),
    ]:
        if words[-1] == "workspaceblobstore:x" and words[1] == "in/1.txt":
            write({"in/in/1.txt": "other", "1.txt": "third"})
            words = ("upload", "in/1.txt", "1.txt", "workspaceblobstore:x")
        done = types("data", *words)
        assert done.code == 2 and part in done.err, (words, done.err)


def test_the_cache_is_shown_and_pruned(does, own_places):
    folder = own_places / "cache" / "data" / "files" / "ab"
    folder.mkdir(parents=True)
    for age, name in [(40, "old"), (1, "new")]:
        (folder / name).write_bytes(b"x" * 1000)
        os.utime(folder / name, (time.time() - age * 86400,) * 2)
    assert does("data", "cache", "--json").json["size"] == 2000
    assert does("data", "cache", "prune", "--older-than", "30d", "--json").json["freed"] == 1000
    assert os.listdir(folder) == ["new"]
    assert does("data", "cache", "prune", "--max-size", "5kB", "--json").json["freed"] == 0
    assert "0 B remain" in does("data", "cache", "prune").out


@pytest.mark.stores
@pytest.mark.parametrize("end", ["Ctrl-C", "unmounted"])
def test_a_mount_is_there_until_it_is_ended(does, s3, end):
    if dataset_mount.available():
        pytest.skip(dataset_mount.available())
    write({"in/1.txt": "one"})
    does("secret", "set", "keys", stdin=servers.S3_KEYS)
    does("datastore", "add", "bucket", "--s3", "--bucket", "bucket", "--endpoint", s3,
         "--root", f"mounted-{end}", "--secret", "keys")  # fmt: skip
    does("data", "upload", "in", "bucket:in")
    process = subprocess.Popen(
        [COMMAND, "data", "mount", "bucket:in", "m"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert b"1 files" in process.stdout.readline()
    assert Path("m/1.txt").read_text() == "one"
    if end == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        subprocess.run(["umount", "m"], check=True)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and b"Traceback" not in err, err
    assert not os.path.ismount("m") and os.listdir("m") == []


def test_where_nothing_can_be_mounted_that_is_said(types, does, web, monkeypatch):
    monkeypatch.setattr(dataset_mount, "available", lambda: "There is /dev/fuse is missing here.")
    web.files["/1.txt"] = b"one"
    does("data", "register", "web", f"{web.address}/1.txt")
    done = types("data", "mount", "web", "m")
    assert (
        done.code == 2 and "/dev/fuse is missing" in done.err and "data download web m" in done.err
    )


def test_local_files_are_linked_and_nothing_is_left(does):
    write({"in/a/1.txt": "one"})
    does("data", "register", "some", "in")
    process = subprocess.Popen([COMMAND, "data", "mount", "some", "m"], stdout=subprocess.PIPE)
    process.stdout.readline()
    assert Path("m/a/1.txt").read_text() == "one"
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and os.listdir("m") == [] and Path("in/a/1.txt").exists()


SCRIPT = """
import os, sys
from scriptrun import Run
run = Run.get_context()
print(open(os.path.join(sys.argv[1], '1.txt')).read(), sys.argv[2], os.environ['PLACE'] == sys.argv[1])
print(run.input_datasets['digits'] == sys.argv[1] == os.environ['digits'])
open(os.path.join(sys.argv[3], 'model'), 'w').write('model')
"""


def test_a_run_gets_inputs_and_leaves_outputs(types, does):
    write({"in/1.txt": "one", "in/2.txt": "two", "train.py": SCRIPT})
    does("data", "register", "digits", "in")
    done = does("run", "--input", "digits=digits", "--output", "out=workspaceblobstore:models:upload",
                "--env", "PLACE={digits}", "train.py", "--", "{digits}", "{other}",
                "$AZUREML_DATAREFERENCE_out")  # fmt: skip
    assert done.out == "one {other} True\nTrue\n"
    assert Path(".scriptrun/datastores/workspaceblobstore/models/model").read_text() == "model"
    run = does("list", "--json").json["runs"][0]["id"]
    assert does("data", "show", "digits", "--json").json["used_by"] == [run]
    for words, part in [
        (("--input", "x=none"), "Dataset 'none' not found"),
        (("--input", "x"), "has no data source"),
        (("--input", "=digits"), "has no input or output name"),
        (("--input", "a b=digits"), "Invalid name"),
        (("--input", "x=digits", "--output", "x"), "name 'x'"),
        (("--output", "x=in"), "not name a datastore"),
        (("--output", "x=none:in"), "Datastore 'none' not found"),
    ]:
        refused = types("run", *words, "train.py")
        assert refused.code == 2 and part in refused.err, (words, refused.err)
    assert len(does("list", "--json", "--all").json["runs"]) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mnist", ("mnist", None, None)),
        ("mnist@2:download", ("mnist@2", "download", None)),
        ("store:a/b:mount=/data/x", ("store:a/b", "mount", "/data/x")),
        ("store:mount", ("store", "mount", None)),
        ("store:a:uploads", ("store:a:uploads", None, None)),
        ("https://h/a:mount=rel", ("https://h/a", "mount", "rel")),
    ],
)
def test_ways_are_told_from_paths(text, parts):
    assert data_options._split_mode(text, ("mount", "download")) == parts
