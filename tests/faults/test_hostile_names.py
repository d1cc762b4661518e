"""One list of hostile names, given to all that joins names from elsewhere to a folder here.

Whatever becomes of a name, a sentence or a file in the folder: nothing outside the folder changes,
and no error is other than a sentence. Names that collide by case or by Unicode's forms overwrite
each other only within their folder, where the file system takes them to be one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from scriptrun import ScriptRunConfig, Workspace
from scriptrun.cli.runs import export
from scriptrun.data.cache import transfer
from scriptrun.data.cache.files import Cache
from scriptrun.data.cache.layout import Layout
from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.datasets import manifest
from scriptrun.data.datasets.content import Content, Root
from scriptrun.data.datasets.manifest import Manifest, ManifestRow
from scriptrun.data.datasets.sources import StoreRef
from scriptrun.data.mount.tree import ManifestTree
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.engines import staging
from scriptrun.environments.image import context
from scriptrun.migration import batch
from scriptrun.preparation import data_bundle
from scriptrun.registry import models
from scriptrun.remote import client
from scriptrun.runtime import workdir
from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.multinode import gather
from scriptrun.spec.environment import BuildContext
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import Target
from scriptrun.store import blobs
from scriptrun.store.snapshots import bundle, snapshots
from scriptrun.submission import check, submit
from scriptrun.tracking import mirror
from scriptrun.tracking.run_files import FileState

pytestmark = pytest.mark.faults

#: in the folder, ``link`` leads to a folder outside, and ``file-link`` to a file there
HOSTILE = [
    "/absolute",
    "//absolute",
    "../out",
    "..",
    ".",
    "",
    "/",
    "a/../../b",
    "a/../../../../../../../../tmp/scriptrun-hostile",
    "a//b",
    "./a",
    "a/./b",
    "a/..",
    "a/",
    "a\0b",
    "a\nb",
    "../a\nb",
    "x" * 300,
    "x/" * 3000 + "x",
    "x/" * 1500 + "x",
    "a\\..\\..\\b",
    "..\\b",
    "C:x",
    "C:\\x",
    "~/x",
    "$HOME/x",
    "link/new",
    "link/new/deeper",
    "link/victim",
    "file-link/x",
    "outputs/link/victim",
    "artifacts/link/victim",
    "manifests/../../out",
    "snapshots/../../out",
    "\ud800",
    "-rf",
    "Straße",
    "Stra\u00dfe/e\u0301",
    "Straße/\u00e9",
]


def shown(name: str) -> str:
    return ascii(name)[:30]


class Sandbox:
    """A folder to write in, and all that is around it, which must not change."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = base / "around" / "folder"
        self.folder.mkdir(parents=True)
        self.outside = base / "outside"
        self.outside.mkdir()
        (self.outside / "victim").write_text("mine")
        for parent in ("", "outputs", "artifacts"):
            (self.folder / parent).mkdir(exist_ok=True)
            (self.folder / parent / "link").symlink_to(self.outside)
            (self.folder / parent / "file-link").symlink_to(self.outside / "victim")

    def around(self) -> dict[str, str]:
        """Everything outside the folder, with its content."""
        found = {}
        for directory, folders, names in os.walk(self.base):
            if Path(directory) == self.folder.parent:
                folders.remove(self.folder.name)
            found[directory] = ""
            for name in names:
                path = Path(directory, name)
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("hostile", path=tmp_path / "home")


@pytest.fixture
def sandbox(tmp_path):
    return Sandbox(tmp_path / "sandbox")


def holds(sandbox, receive) -> str:
    """Let ``receive`` have its way; the sentence that it ends with, or ""."""
    before = sandbox.around()
    words = ""
    try:
        receive()
    except ScriptrunError as error:
        words = str(error)
        assert words[0].isupper() or words[0] == "'"
        assert len(words) < 10_000
    assert sandbox.around() == before
    assert not os.path.exists("/absolute") and not os.path.exists("/tmp/scriptrun-hostile")
    return words


def archive(*members) -> io.BytesIO:
    """A tar with these members: names of files, or whole headers."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            header = member
            if isinstance(member, str):
                header = tarfile.TarInfo(member)
                header.size = 3
            tar.addfile(header, io.BytesIO(b"bad"))
    stream.seek(0)
    return stream


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_archives(sandbox, name):
    if "\0" not in name and name != "\ud800":  # which no header of a tar can carry
        holds(sandbox, lambda: staging.unpack(archive(name), sandbox.folder))
    holds(sandbox, lambda: bundle.store_part(sandbox.folder, name, io.BytesIO(b"bad")))


def header(kind, name, target="", size=0):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


@pytest.mark.parametrize(
    "members",
    [
        (header(tarfile.SYMTYPE, "way", "../../outside"), "way/victim"),
        (header(tarfile.LNKTYPE, "way", "../../outside/victim"), "way"),
        (header(tarfile.LNKTYPE, "way", "/etc/passwd"),),
        (header(tarfile.CHRTYPE, "null"),),
        (header(tarfile.BLKTYPE, "disk"),),
        (header(tarfile.FIFOTYPE, "pipe"),),
        (header(tarfile.CONTTYPE, "strange"),),
    ],
    ids=["symlink", "hard-link", "hard-link-out", "character", "block", "pipe", "contiguous"],
)
def test_members_that_are_no_files(sandbox, members):
    words = holds(sandbox, lambda: staging.unpack(archive(*members), sandbox.folder))
    assert "is not a plain file" in words
    assert not {"way", "null", "disk", "pipe", "strange"} & set(os.listdir(sandbox.folder))


def test_an_archive_that_is_cut_off_or_none_is_a_sentence(sandbox):
    whole = archive("a", "b").getvalue()
    for data in (whole[:700], b"no tar" * 200, b"\xff" * 5000):
        words = holds(sandbox, lambda data=data: staging.unpack(io.BytesIO(data), sandbox.folder))
        assert "damaged" in words


class Node:
    """A run's node that has one file of the given name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def changed(self, known):
        return [FileState(self.name, 3, 1)] if self.name not in known else []

    def read(self, name, start, size):
        return b"bad"

    def artifacts(self):
        return [self.name]

    def read_artifact(self, name, start, size):
        return b"bad" if start == 0 else b""


@pytest.mark.parametrize("ending", ["", ".txt", ".jsonl"])
@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_the_node_of_a_run(sandbox, name, ending):
    name = f"outputs/{name}" if ending == ".jsonl" else name
    holds(sandbox, lambda: mirror.refresh(sandbox.folder, Node(name + ending)))
    holds(sandbox, lambda: mirror.fetch_below(sandbox.folder, Node(name + ending), ""))


@pytest.mark.parametrize(
    "name", ["job.json", "address.json", ".mirror.json", "cancel.json", "work/x", "inputs/x"]
)
def test_a_node_does_not_replace_what_home_wrote(sandbox, name):
    assert "tried to replace" in holds(sandbox, lambda: mirror.refresh(sandbox.folder, Node(name)))
    assert not (sandbox.folder / name).exists()


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_the_data_of_a_job(sandbox, name):
    home = Workspace.create("home", path=sandbox.folder / "home")
    for full in (name, f"manifests/{name}", f"datastores/{name}"):
        holds(sandbox, lambda full=full: data_bundle.unpack(home, {full: "YmFk"}))


@pytest.mark.parametrize("kind", ["f", "x", "d", "l", "below-link"])
@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_a_manifest_of_a_snapshot(sandbox, tmp_path, name, kind):
    store, digest = tmp_path / "store", "ab" * 32
    path = Path(workdir.manifest_path(store, digest))
    path.parent.mkdir(parents=True)
    raw = workdir.escape(name.encode("utf-8", "surrogatepass"))
    empty = hashlib.sha256(b"").hexdigest().encode()
    lines = {
        "f": b"f %s 0 %s\n" % (empty, raw),
        "x": b"x %s 0 %s\n" % (empty, raw),
        "d": b"d %s\nf %s 0 inner\n" % (raw, empty),
        "l": b"l %s\0/etc\n" % raw,
        "below-link": b"l way\0%s\nd way\nf %s 0 %s\n" % (bytes(sandbox.outside), empty, raw),
    }
    path.write_bytes(workdir.MANIFEST_HEAD + lines[kind])
    Path(f"{path}.places").write_bytes(workdir.PLACES_HEAD + b"-\n")

    def receive():
        try:
            workdir.materialise(store, digest, sandbox.folder / "work")
        except (workdir.SnapshotDamaged, OSError):
            pass  # as the launcher takes them

    holds(sandbox, receive)


@pytest.mark.parametrize(
    "line", [b"f ../../../outside/victim 4 x\n", b"f a/b 4 x\n", b"f %s 4 x\n" % (b"ab" * 32)]
)
def test_a_manifest_does_not_read_outside_its_store(sandbox, tmp_path, line):
    store, digest = tmp_path / "store", "ab" * 32
    path = Path(workdir.manifest_path(store, digest))
    path.parent.mkdir(parents=True)
    path.write_bytes(workdir.MANIFEST_HEAD + line)
    Path(f"{path}.places").write_bytes(workdir.PLACES_HEAD + b"../../outside/victim 0\n")
    with pytest.raises(workdir.SnapshotDamaged):
        workdir.materialise(store, digest, sandbox.folder / "work")


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_downloads_from_a_store(sandbox, tmp_path, name):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "good").write_text("bad")
    store = LocalStore("store", tmp_path / "store")
    file = RemoteFile(store, FileEntry("good", 3), name)
    holds(sandbox, lambda: transfer.download([file], sandbox.folder, True))


def listed(folder: Path, name: str) -> Content:
    """The content of a version whose list has one file of the given name."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    made = manifest.write(folder, [ManifestRow(name, 3, "")])
    root = Root(StoreRef(None, "http://127.0.0.1:1"), "", "")
    return Content([], [], Manifest(manifest.manifest_path(folder, made.digest)), [root])


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_lists_of_datasets(sandbox, tmp_path, name, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    content = listed(tmp_path / "lists", name)
    cache = Cache(sandbox.folder / "cache")
    words = holds(sandbox, lambda: Layout(content, cache).lay_out())
    assert words  # refused, or else the server is not there
    tree = ManifestTree(content.manifest)
    names = [entry.name for entry in tree.children("")]
    assert all(each not in ("", ".", "..") and "/" not in each for each in names)


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_local_stores(sandbox, name):
    (sandbox.folder / "link").unlink()  # whoever links a folder in a store means it
    store = LocalStore("mine", sandbox.folder)

    def receive(action):
        try:
            action()
        except ValueError as error:  # a NUL character, of Python itself
            assert "null" in str(error)

    if name not in ("file-link/x", "outputs/link/victim", "artifacts/link/victim", "\ud800"):
        holds(sandbox, lambda: receive(lambda: store.write(name, io.BytesIO(b"bad"))))
        holds(sandbox, lambda: receive(lambda: store.delete(name)))
        holds(sandbox, lambda: receive(lambda: store.stat(name)))


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_records_of_models(sandbox, tmp_path, name, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(sandbox.folder / "cache"))
    home = Workspace.create("home", path=tmp_path / "home")
    (tmp_path / "weights").write_text("bad")
    digest, size = blobs.put(home.directory / "models" / ".content", tmp_path / "weights")
    for key, root in (("0" * 32, name), (name, "root"), (name, name)):
        files = [{"path": name, "size": size, "sha256": digest}]
        record = {"name": "m", "version": 1, "key": key, "root": root, "files": files}
        holds(sandbox, lambda record=record: models.copy_to(home, record, sandbox.folder, True))
        if "link" not in name:
            holds(sandbox, lambda record=record: models.cached_root(home, record))


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_artifacts(sandbox, tmp_path, name):
    for area in ("", "outputs/", "logs/"):
        if "link" in name:
            continue  # a script that links a folder there means it
        holds(
            sandbox,
            lambda area=area: artifacts.store(sandbox.folder, area + name, io.BytesIO(b"bad")),
        )


def test_downloads_of_a_run_do_not_follow_links(sandbox, tmp_path):
    run = tmp_path / "run"
    (run / "outputs/link").mkdir(parents=True)
    (run / "outputs/link/victim").write_text("bad")
    words = holds(sandbox, lambda: artifacts.fetch_all(run, "outputs", sandbox.folder))
    assert "through the symbolic link" in words


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_exports(sandbox, name):
    holds(sandbox, lambda: export._write({"job.yml": "good", name: "bad"}, sandbox.folder))


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_contexts_of_images(sandbox, tmp_path, name):
    source = tmp_path / "repository"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")
    (source / "link").symlink_to(sandbox.outside)
    git = ["git", "-C", source, "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    if "\0" in name or "\ud800" in name:
        return  # which no JSON and no command line can carry
    built = BuildContext("git", f"file://{source}#HEAD:{name}", "Dockerfile")
    trees = sandbox.folder / "trees"
    trees.mkdir()
    found = []
    holds(
        sandbox,
        lambda: found.append(
            context.fetch_context(built, str(trees), lambda line: None, lambda: False)
        ),
    )
    real = [os.path.realpath(path) for path in found]
    assert all(path.startswith(os.path.realpath(trees)) for path in real)


def test_nodes_that_gather(sandbox):
    """Node 1 has folders where the run has links and files, and files where it has folders."""
    outputs, work = sandbox.folder / "outputs", sandbox.folder / "work-node-1" / "outputs"
    (outputs / "file").write_text("run")
    (outputs / "folder").mkdir()
    (outputs / "folder/x").write_text("run")
    (outputs / "node-1/file").mkdir(parents=True)
    (outputs / "node-1/file/x").write_text("the script's own")
    for name in ("link/victim", "file-link", "file/x", "folder", "good"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("node")
    assert holds(sandbox, lambda: gather.gather(str(sandbox.folder))) == ""
    assert (outputs / "file").read_text() == "run"
    assert (outputs / "node-1/file/x").read_text() == "the script's own"
    assert (outputs / "node-1.2/file/x").read_text() == "node"
    assert (outputs / "node-1/folder").read_text() == "node"
    assert (outputs / "node-1/link/victim").read_text() == "node"
    assert (outputs / "good").read_text() == "node"
    assert not (sandbox.folder / "work-node-1").exists()


def test_migration_stays_in_its_tree(sandbox, tmp_path):
    pytest.importorskip("libcst")
    code = "from azureml.core import Workspace\n"
    (sandbox.outside / "other.py").write_text(code)
    (sandbox.folder / "one.py").write_text(code)
    (sandbox.folder / "two.py").symlink_to(sandbox.outside / "other.py")
    reports = []

    def receive():
        reports.append(
            batch.look([str(sandbox.folder)], "scriptrun", lambda *_: None, lambda *_: None, True)
        )

    assert holds(sandbox, receive) == ""
    assert "scriptrun" in (sandbox.folder / "one.py").read_text()
    told = {finding.path for finding in reports[0].findings if "leads out" in finding.reason}
    names = ("two.py", "link", "outputs/link", "artifacts/link")
    assert told == {str(sandbox.folder / name) for name in names}


@pytest.fixture
def answer_over_ssh(tmp_path, monkeypatch):
    """Let a host answer every question over ssh with this line; what it was sent is in a file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f"#!/bin/sh\ncat >> {tmp_path}/sent\ncat {tmp_path}/answer\n")
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def answer(line: object, data: bytes = b"") -> None:
        (tmp_path / "sent").write_bytes(b"")
        (tmp_path / "answer").write_bytes(json.dumps(line).encode() + b"\n" + data)

    return answer


ADDRESS = {"host": "login", "root": "/cluster/runs", "tool": "/usr/bin/python3"}
STATUS = {"state": "Running", "reason": "", "began": None, "ended": None, "exit_code": None}


@pytest.mark.parametrize("name", HOSTILE, ids=shown)
def test_a_login_node_that_names_files(sandbox, answer_over_ssh, name):
    files = [[name, 3, 1], [f"user_logs/{name}.txt", 3, 1]]
    answer_over_ssh({"runs": {"run": {"status": STATUS, "files": files}}}, b"badbad")
    there = client.RemoteRunFiles(dict(ADDRESS), "run")
    holds(sandbox, lambda: mirror.refresh(sandbox.folder, there))
    answer_over_ssh({"names": [name], "found": True}, b"bad")
    holds(sandbox, lambda: mirror.fetch_below(sandbox.folder, there, ""))


@pytest.mark.parametrize(
    "line",
    [
        None,
        [],
        "text",
        7,
        {},
        {"runs": None},
        {"runs": []},
        {"runs": {"run": {}}},
        {"runs": {"run": {"status": STATUS, "files": 7}}},
        {"runs": {"run": {"status": STATUS, "files": [["a"]]}}},
        {"runs": {"run": {"status": STATUS, "files": [["a", -5, 1]]}}},
        {"runs": {"run": {"status": STATUS, "files": [["a", "x", 1]]}}},
        {"runs": {"run": {"status": STATUS, "files": [["a", 1.5, 1]]}}},
        {"runs": {"run": {"status": {**STATUS, "state": "Owned"}, "files": []}}},
        {"runs": {"run": {"status": {**STATUS, "state": {}}, "files": []}}},
        {"runs": {"run": {"status": {**STATUS, "more": 1}, "files": []}}},
        {"runs": {"run": {"status": {**STATUS, "result": 7}, "files": []}}},
    ],
    ids=lambda line: json.dumps(line)[-40:],
)
def test_a_login_node_that_makes_no_sense(sandbox, answer_over_ssh, line):
    answer_over_ssh(line)
    there = client.RemoteRunFiles(dict(ADDRESS), "run")
    words = holds(sandbox, lambda: mirror.refresh(sandbox.folder, there))
    assert "Unexpected response from login" in words
    words = holds(sandbox, lambda: mirror.fetch_below(sandbox.folder, there, ""))
    assert "Unexpected response from login" in words


def test_a_login_node_gets_no_other_files_than_the_snapshot(tmp_path, answer_over_ssh, workspace):
    """It answers which parts of the snapshot it lacks, and names other files of ours."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/train.py").write_text("print('sent')\n")
    (workspace.directory / "private").write_text("the private file")
    config = ScriptRunConfig(str(tmp_path / "source"), "train.py")
    submission = check.check(config, workspace, "hostile")
    job = submit.complete(submission, workspace)
    job = job.replace(target=Target("gpu", "Slurm", {"ssh": "login", **ADDRESS}))
    digest = snapshots.take(workspace.snapshots_folder, tmp_path / "source").digest
    job = job.replace(snapshot=digest)
    parts = bundle.parts(workspace.snapshots_folder, digest)
    answer_over_ssh({"missing": ["../private", "/etc/passwd", *parts], "root": "/cluster/runs"})
    client.RemoteRuns(job.target).submit(job, workspace, [], None)
    sent = (tmp_path / "sent").read_bytes()
    assert b"sent" in sent and b"the private file" not in sent and b"root:x:0" not in sent
