"""Jobs with data, end to end: what they were promised is there, and what they wrote arrives."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest

from scriptrun import Dataset, Datastore, Experiment, ScriptRunConfig, Workspace
from scriptrun.core.dataset import OutputFileDatasetConfig
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.spec.errors import RunConfigurationException, UserErrorException
from scriptrun.submission import check
from scriptrun.testing.jobs import PATIENCE, kill, until

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import servers

#: writes what it was given, and what lies below, where its last argument says
LOOKS = """
import json, os, sys
found = {}
for place in sys.argv[1:-1]:
    if os.path.isfile(place):
        found[place] = open(place).read()
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, place)] = open(path).read()
out = sys.argv[-1]
json.dump({"argv": sys.argv[1:], "files": found, "environ": dict(os.environ)}, open("outputs/seen.json", "w"))
if os.path.isdir(out):
    open(os.path.join(out, "result.txt"), "w").write("done")
    os.makedirs(os.path.join(out, "deep"))
    open(os.path.join(out, "deep", "\\u00fc % .txt"), "w").write("more")
"""


@pytest.fixture(autouse=True)
def own_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", servers.S3_KEYS)
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", str(PATIENCE))


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    with servers.azurite(tmp_path_factory.mktemp("azurite")) as address:
        yield address


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    (folder / "shared").mkdir()
    with servers.s3(folder) as address:
        yield address


@pytest.fixture
def web():
    with servers.web() as state:
        yield state


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("delivery", path=tmp_path / "workspace")


@pytest.fixture
def local_store(workspace, tmp_path):
    (tmp_path / "mine").mkdir()
    return Datastore.register_local(workspace, "mine", tmp_path / "mine")


@pytest.fixture
def blob_store(workspace, azurite):
    container = f"c{uuid.uuid4().hex[:12]}"
    servers.make_container(azurite, container)
    return Datastore.register_azure_blob_container(
        workspace,
        "blob",
        container,
        servers.ACCOUNT,
        account_key=servers.ACCOUNT_KEY,
        endpoint=azurite,
    )


@pytest.fixture
def s3_store(workspace, s3):
    root = uuid.uuid4().hex
    return Datastore.register_s3(workspace, "s3", "shared", endpoint=s3, root=root, secret="mine")


STORES = [
    "local_store",
    pytest.param("blob_store", marks=pytest.mark.stores),
    pytest.param("s3_store", marks=pytest.mark.stores),
]


@pytest.fixture(params=STORES)
def datastore(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def put(tmp_path):
    """``put(datastore, {path: text})`` uploads files."""

    def upload(datastore, files):
        folder = tmp_path / uuid.uuid4().hex
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        datastore.upload(folder, show_progress=False, overwrite=True)

    return upload


@pytest.fixture
def job(workspace, tmp_path):
    """``job(code, *arguments)`` is a configuration of a job that runs ``code``."""

    def make(code, *arguments, **more):
        folder = tmp_path / f"source-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        (folder / "train.py").write_text(code)
        return ScriptRunConfig(
            folder, "train.py", arguments=list(arguments), compute_target="local", **more
        )

    return make


@pytest.fixture
def run(workspace):
    """``run(config)`` submits, waits, and returns the run."""

    def submit(config):
        made = Experiment(workspace, "data").submit(config)
        made.wait_for_completion(raise_on_error=False)
        return made

    return submit


def seen(run):
    assert run.get_status() == "Completed", (run.get_details(), log(run))
    return json.loads((run.path / "outputs" / "seen.json").read_text())


def log(run):
    path = run.path / "system_logs" / "data.txt"
    return path.read_text() if path.exists() else ""


def reason(run):
    assert run.get_status() == "Failed", run.get_status()
    return json.loads((run.path / "attempts" / "1" / "result.json").read_text())["reason"]


def events(run, kind="data"):
    lines = (run.path / "events" / "data-0.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["kind"] == kind]


def test_the_guides_job_on_every_store(datastore, web, workspace, put, job, run, tmp_path):
    put(datastore, {"mnist/a.gz": "A", "mnist/sub dir/\u00e9 %41.gz": "B", "mnist/.c.gz": "C"})
    web.files["/labels.csv"] = b"one,two"
    dataset = Dataset.File.from_files(
        [(datastore, "mnist/**/*.gz"), f"{web.address}/labels.csv"]
    ).register(workspace, "mnist", create_new_version=True)
    other = Dataset.File.from_files((datastore, "mnist/a.gz"))
    config = job(
        LOOKS,
        dataset.as_mount(),
        other.as_named_input("extra").as_download(str(tmp_path / "x")),
        OutputFileDatasetConfig(destination=(datastore, "results/{run-id}")).as_upload(),
    )
    done = run(config)
    found = seen(done)
    assert set(found["files"].values()) == {"A", "B", "C", "one,two"}
    assert any(name.endswith("mnist/sub dir/\u00e9 %41.gz") for name in found["files"])
    assert found["argv"][1] == str(tmp_path / "x" / "a.gz")
    assert found["environ"]["extra"] == found["environ"]["EXTRA"] == found["argv"][1]
    assert not os.path.islink(found["argv"][1])
    entries = sorted(each.path for each in datastore.store.list(f"results/{done.id}"))
    assert [path.partition(f"{done.id}/")[2] for path in entries] == [
        "deep/\u00fc % .txt",
        "result.txt",
    ]
    pins = {each.name: each.dataset for each in done.job.data.inputs}
    assert [pin.version for pin in pins.values()] == [1, None]
    assert os.environ["SCRIPTRUN_RUNTIME"] not in Path("/proc/self/mounts").read_text()


def test_the_old_way(datastore, put, job, run):
    put(datastore, {"foo/a.txt": "A", "foo/b.txt": "B"})
    ref = datastore.path("./foo").as_mount()
    back = datastore.path("back").as_upload()
    config = job(LOOKS, "--data-folder", f"{ref}/a.txt", f"${{{str(ref)[1:]}}}", str(back))
    config.run_config.data_references = {
        each.data_reference_name: each.to_config() for each in (ref, back)
    }
    config.run_config.environment_variables = {"WHERE": f"{ref}/b.txt", "PRICE": "5$"}
    found = seen(run(config))
    assert set(found["files"].values()) == {"A", "B"}
    assert found["environ"]["WHERE"] == found["argv"][2] + "/b.txt"
    assert found["environ"]["PRICE"] == "5$"
    assert found["environ"][str(ref)[1:]] == found["argv"][2]
    assert datastore.store.read("back/result.txt", 0, 9) == b"done"


def test_a_second_run_finds_it_in_the_cache(blob_store, put, job, run):
    put(blob_store, {"a.txt": "A", "b.txt": "B"})
    dataset = Dataset.File.from_files((blob_store, "*.txt"))
    first = run(job(LOOKS, dataset.as_download(), "none"))
    second = run(job(LOOKS, dataset.as_mount(), "none"))
    assert seen(first)["files"] == seen(second)["files"] == {"a.txt": "A", "b.txt": "B"}
    assert [each["how"] for each in events(first) + events(second)] == ["downloaded", "cached"]


def test_what_a_script_changes_is_dropped_and_fetched_anew(blob_store, put, job, run):
    put(blob_store, {"a.txt": "A", "b.txt": "B"})
    dataset = Dataset.File.from_files((blob_store, "*.txt"))
    spoils = """
import os, sys
path = os.path.join(sys.argv[1], "a.txt")
os.chmod(path, 0o644); open(path, "w").write("other")
os.chmod(sys.argv[1], 0o755); open(os.path.join(sys.argv[1], "new.txt"), "w").write("x")
"""
    first = run(job(spoils, dataset.as_download()))
    assert first.get_status() == "Completed"
    assert "a.txt" in events(first, "warning")[0]["message"]
    second = run(job(LOOKS, dataset.as_download(), "none"))
    assert seen(second)["files"] == {"a.txt": "A", "b.txt": "B"}


def test_a_file_that_changed_since_is_an_error_that_says_so(datastore, workspace, put, job, run):
    put(datastore, {"d/a.txt": "A", "d/b.txt": "B"})
    dataset = Dataset.File.from_files((datastore, "d")).register(workspace, "d")
    put(datastore, {"d/a.txt": "longer than before"})
    done = run(job(LOOKS, dataset.as_download(), "none"))
    assert "'d/a.txt'" in reason(done) and "has changed" in reason(done)
    datastore.store.delete("d/a.txt")
    done = run(job(LOOKS, dataset.as_download(), "none"))
    assert "File 'd/a.txt'" in reason(done)


def test_outputs_are_uploaded_also_when_the_script_failed(datastore, job, run):
    out = OutputFileDatasetConfig("model", destination=(datastore, "{output-name}/{run-id}"))
    fails = "import os, sys\nopen(os.path.join(sys.argv[1], 'w.txt'), 'w').write('weights')\nsys.exit(3)"
    for each in (out.as_upload(), out.as_mount()):
        done = run(job(fails, each))
        assert reason(done) == "train.py exited with code 3"
        assert datastore.store.read(f"model/{done.id}/w.txt", 0, 99) == b"weights"


def test_an_output_that_cannot_be_uploaded_fails_the_run(blob_store, put, job, run):
    put(blob_store, {"there/result.txt": "mine"})
    out = OutputFileDatasetConfig("model", destination=(blob_store, "there"))
    done = run(job(LOOKS, out.as_upload()))
    assert "'there/result.txt' already exists in blob" in reason(done)
    (kept,) = done.path.glob("data/**/result.txt")
    assert kept.read_text() == "done" and str(kept.parent) in reason(done)
    assert blob_store.store.read("there/result.txt", 0, 9) == b"mine"
    again = run(job(LOOKS, out.as_upload(overwrite=True)))
    assert again.get_status() == "Completed"
    assert blob_store.store.read("there/result.txt", 0, 9) == b"done"


LINKS = """
import os, sys
os.makedirs("ck")
open("ck/best.pt", "w").write("best")
out = sys.argv[1]
os.makedirs(os.path.join(out, "v1"))
open(os.path.join(out, "v1", "m"), "w").write("one")
os.symlink("v1", os.path.join(out, "latest"))
os.symlink(os.path.abspath("ck"), os.path.join(out, "ck"))
os.symlink(os.path.abspath("ck/best.pt"), os.path.join(out, "best.pt"))
os.symlink("nowhere", os.path.join(out, "gone"))
"""


@pytest.mark.parametrize("way", ["upload", "mount"])
@pytest.mark.parametrize("source", [None, "outputs/out"], ids=["own", "within-outputs"])
def test_links_in_an_output_keep_their_content(datastore, job, run, way, source):
    out = OutputFileDatasetConfig("model", (datastore, "m/{run-id}"), source=source)
    done = run(job(LINKS, out.as_upload() if way == "upload" else out.as_mount()))
    assert done.get_status() == "Completed", log(done)
    contents = {
        each.path: datastore.store.read(each.path, 0, 9)
        for each in datastore.store.list(f"m/{done.id}")
    }
    assert contents == {
        f"m/{done.id}/best.pt": b"best",
        f"m/{done.id}/ck/best.pt": b"best",
        f"m/{done.id}/latest/m": b"one",
        f"m/{done.id}/v1/m": b"one",
    }
    if way == "upload":
        records = [path.read_text() for path in done.path.glob("events/*.jsonl")]
        assert any("gone (its target nowhere does not exist)" in each for each in records)


def test_an_output_becomes_a_dataset(datastore, workspace, job, run):
    out = OutputFileDatasetConfig("model", (datastore, "m/{run-id}")).as_upload(
        source_globs="**/*.txt"
    )
    done = run(job(LOOKS, out.register_on_complete("models", "made by a run", {"k": "v"})))
    assert done.get_status() == "Completed", log(done)
    made = Dataset.get_by_name(workspace, "models")
    assert made.to_path() == ["/deep/\u00fc % .txt", "/result.txt"]
    assert (made.description, made.tags) == ("made by a run", {"k": "v"})
    (output,) = done.get_details()["outputDatasets"]
    assert output["identifier"] == {"savedId": made.id}
    assert output["dataset"].tags == {"k": "v"} and output["dataset"].to_path() == made.to_path()


def test_the_datasets_of_a_runs_details_answer_as_datasets(datastore, workspace, put, job, run):
    put(datastore, {"d/a.txt": "A"})
    folder = Dataset.File.from_files((datastore, "d")).register(workspace, "f", tags={"top": "1"})
    more = Dataset.File.from_files((datastore, "d/*"))
    output = OutputFileDatasetConfig("model", (datastore, "m/{run-id}")).as_upload()
    used = folder.as_named_input("f").as_download()
    details = run(job(LOOKS, used, more.as_named_input("m").as_download(), output)).get_details()
    first, second = [each["dataset"] for each in details["inputDatasets"]]
    assert (first.name, first.tags, first["id"]) == ("f", {"top": "1"}, folder.id)
    assert first.to_path() == second.to_path() == ["/a.txt"] and second.name is None
    assert "identifier" not in details["outputDatasets"][0]
    assert details["outputDatasets"][0]["dataset"].to_path()
    assert json.loads(json.dumps(details))["inputDatasets"][0]["dataset"]["files"] == 1


def test_a_mounted_output_is_uploaded_while_the_script_runs(blob_store, workspace, job, tmp_path):
    waits = """
import os, sys, time
open(os.path.join(sys.argv[1], "early.txt"), "w").write("early")
open(os.path.join(sys.argv[1], "gone.txt"), "w").write("gone")
while not os.path.exists(sys.argv[2]): time.sleep(0.05)
os.remove(os.path.join(sys.argv[1], "gone.txt"))
open(os.path.join(sys.argv[1], "late.txt"), "w").write("late")
"""
    out = OutputFileDatasetConfig("model", (blob_store, "m")).as_mount()
    run = Experiment(workspace, "data").submit(job(waits, out, str(tmp_path / "go")))
    until(lambda: blob_store.store.stat("m/gone.txt") is not None, lambda: log(run))
    (tmp_path / "go").touch()
    run.wait_for_completion()
    names = [each.path for each in blob_store.store.list("m")]
    assert names == ["m/early.txt", "m/late.txt"]


def test_twenty_runs_download_once(web, workspace, job, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SLOTS", str(workspace.root / "slots"))
    web.files["/big.bin"] = b"x" * 1_000_000
    dataset = Dataset.File.from_files(f"{web.address}/big.bin")
    config = job("import os, sys; print(os.path.getsize(sys.argv[1]))", dataset.as_download())
    runs = Experiment(workspace, "data").submit_many([config] * 20)
    for each in runs:
        each.wait_for_completion()
        assert (each.path / "user_logs/std_log.txt").read_text() == "1000000\n"
    assert web.seen.count("GET /big.bin") == 1


def test_tables_are_handed_over_by_id(datastore, workspace, put, job, run):
    put(datastore, {"t.csv": "a,b\n1,2\n"})
    table = Dataset.Tabular.from_delimited_files((datastore, "t.csv")).register(workspace, "t")
    done = run(job(LOOKS, table.as_named_input("table"), "none"))
    assert seen(done)["argv"][0] == seen(done)["environ"]["table"] == table.id
    kept = json.loads((done.path / "attempts" / "1" / "node-0.data.json").read_text())
    assert kept["table"]["pin"]["id"] == table.id


def test_where_the_job_asked_for_it(datastore, put, job, run, tmp_path, monkeypatch):
    put(datastore, {"d/a.txt": "A", "d/b.txt": "B"})
    monkeypatch.setenv("MY_PLACE", str(tmp_path / "place"))
    dataset = Dataset.File.from_files((datastore, "d"))
    config = job(
        LOOKS,
        dataset.as_named_input("one").as_mount("data/in"),
        dataset.as_named_input("two").as_download("$MY_PLACE/two"),
        "none",
    )
    found = seen(run(config))
    assert Path(found["argv"][0]).parts[-3:] == ("work", "data", "in")
    assert found["argv"][1] == str(tmp_path / "place" / "two")
    assert (tmp_path / "place" / "two" / "a.txt").read_text() == "A"
    (tmp_path / "place" / "two" / "a.txt").write_text("changed by hand")
    assert "a.txt' already exists with different content" in reason(run(config))


def test_a_run_again_reads_what_the_first_did(datastore, workspace, put, job, run):
    from scriptrun.history import rerun as rerun_runs

    put(datastore, {"d/a.txt": "A"})
    first = run(job(LOOKS, Dataset.File.from_files((datastore, "d")).as_download(), "none"))
    put(datastore, {"d/b.txt": "B"})
    again = rerun_runs.start(first).run
    again.wait_for_completion()
    assert seen(again)["files"] == seen(first)["files"] == {"a.txt": "A"}


def test_what_was_delivered_is_told(blob_store, workspace, put, job, run):
    from scriptrun.history import compare as compare_runs
    from scriptrun.history import dry_run

    put(blob_store, {"d/a.txt": "A"})
    make = Dataset.File.from_files
    out = OutputFileDatasetConfig(destination=(blob_store, "m/{run-id}")).as_upload()
    config = job(LOOKS, make((blob_store, "d")).as_download(), out)
    plan = dry_run.plan(check.check(config, workspace, "data"), workspace)
    assert (
        plan.data["output 2"] == "upload to blob:m/{run-id}" and "d in blob" in plan.data["input 1"]
    )
    first = run(config)
    put(blob_store, {"d/b.txt": "B"})
    config.arguments[0] = make((blob_store, "d")).as_download()
    second = run(config)
    found = compare_runs.compare(first, second)
    assert list(found.data) == ["input 1"] and found.arguments is None
    assert "1 file," in found.data["input 1"][0] and "2 files" in found.data["input 1"][1]
    details = second.get_details()
    assert details["inputDatasets"][0]["dataset"]["files"] == 2
    assert details["outputDatasets"][0]["path"] == f"m/{second.id}"
    assert [each["how"] for each in details["data"]] == ["downloaded", "uploaded"]


def test_resume_from_a_data_path(datastore, put, job, run):
    from scriptrun.core.datastore import DataPath

    put(datastore, {"old/model.txt": "weights"})
    code = "import sys; print(sys.argv[1], open(sys.argv[2] + '/model.txt').read())"
    done = run(job(code, resume_from=DataPath(datastore, "old")))
    assert (done.path / "user_logs/std_log.txt").read_text() == "--resume-from weights\n"


WRONG = {
    "no such glob": (
        lambda ws, store: Dataset.File.from_files((store, "x/*"), validate=False).as_mount(),
        "No files found at x/",
    ),
    "read only": (
        lambda ws, store: OutputFileDatasetConfig(
            destination=(Datastore.register_http(ws, "web", "http://127.0.0.1:1"), "x")
        ),
        "is read-only",
    ),
    "unwritable": (
        lambda ws, store: Dataset.File.from_files((store, "a.txt")).as_download(
            f"{store.root}/a.txt/x"
        ),
        "a.txt' is a file",
    ),
    "not empty": (
        lambda ws, store: Dataset.File.from_files((store, "a.txt")).as_mount(str(store.root)),
        "that folder is not empty",
    ),
    "outside": (
        lambda ws, store: Dataset.File.from_files((store, "a.txt")).as_mount("../x"),
        "is outside the working directory",
    ),
    "a variable of the system": (
        lambda ws, store: Dataset.File.from_files((store, "a.txt")).as_named_input("PATH"),
        "invalid data name",
    ),
    "not in the job": (lambda ws, store: "$AZUREML_DATAREFERENCE_abc/x", "unknown data"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_before_anything_is_written(
    case, local_store, workspace, put, job
):
    put(local_store, {"a.txt": "A"})
    make, said = WRONG[case]
    with pytest.raises(UserErrorException, match=said):
        Experiment(workspace, "data").submit(job(LOOKS, make(workspace, local_store)))
    assert not list(workspace.runs_folder.glob("*/*"))
    assert not list(workspace.directory.glob("manifests/*"))


def test_all_that_is_wrong_is_said_at_once(local_store, workspace, job):
    config = job(LOOKS, Dataset.File.from_files((local_store, "no"), validate=False).as_mount())
    from scriptrun.config.data_sections import DataReferenceConfiguration

    config.run_config.data_references = {"r": DataReferenceConfiguration("nowhere")}
    with pytest.raises(RunConfigurationException) as caught:
        Experiment(workspace, "data").submit(config)
    assert len(caught.value.reasons) == 2
    assert "nowhere" in str(caught.value) and "No files found at no" in str(caught.value)


def test_keys_stay_out_of_everything(blob_store, workspace, put, job, run):
    put(blob_store, {"a.txt": "A"})
    done = run(job(LOOKS, Dataset.File.from_files((blob_store, "a.txt")).as_mount(), "none"))
    assert done.get_status() == "Completed"
    key = servers.ACCOUNT_KEY[:20].encode()
    wrong = [
        path
        for path in workspace.directory.rglob("*")
        if path.is_file() and key in path.read_bytes()
    ]
    assert not wrong


def test_a_key_that_leads_out_is_never_written(workspace, blob_store, azurite, put, job):
    put(blob_store, {"d/a.txt": "A"})
    container = blob_store.container_name
    servers.put_blob(azurite, container, "d/../../../etc/passwd2", b"root")
    dataset = Dataset.File.from_files((blob_store, "d"), validate=False)
    config = job(LOOKS, dataset.as_download(), "none")
    with pytest.raises(UserErrorException, match="an invalid path"):
        Experiment(workspace, "data").submit(config)
    assert not list(workspace.runs_folder.glob("*/*"))


WAITS = "import sys, time\nprint('began', flush=True)\nwhile True: time.sleep(0.1)"


def helper_of(run):
    """The pid of the run's helper, from what it told the launcher."""
    for name in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            if b"scriptrun.delivery.helper" in words:
                parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
                if parent == launcher_of(run):
                    return int(name)
        except (OSError, ValueError):
            continue
    raise AssertionError("no helper")


def launcher_of(run):
    lines = (run.path / "events" / "node-0.jsonl").read_text().splitlines()
    began = next(each for each in map(json.loads, lines) if each["kind"] == "began")
    return began["launcher"]["pid"]


def begun(run):
    path = run.path / "user_logs" / "std_log.txt"

    def has_begun():
        assert run.get_status() != "Failed", log(run)
        return path.exists() and path.read_text()

    until(has_begun, lambda: log(run))


@pytest.fixture
def mounted(blob_store, workspace, put, job):
    """A run that waits for ever with a mount of a blob container."""
    put(blob_store, {"a.txt": "A"})
    if dataset_mount.available():
        servers.missing("FUSE: " + dataset_mount.available())
    run = Experiment(workspace, "data").submit(
        job(WAITS, Dataset.File.from_files((blob_store, "*.txt")).as_mount())
    )
    begun(run)
    yield run
    run.cancel()
    run.wait_for_completion(raise_on_error=False)


def gone(pid):
    def is_gone():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    until(is_gone, f"{pid} goes on")


def no_mounts_below(folder):
    until(lambda: str(folder) not in Path("/proc/self/mounts").read_text(), "it is mounted")


def test_a_killed_launcher_leaves_no_mount(mounted):
    helper = helper_of(mounted)
    os.kill(launcher_of(mounted), signal.SIGKILL)
    mounted.wait_for_completion(raise_on_error=False)
    assert mounted.get_status() == "Failed"
    gone(helper)
    no_mounts_below(os.environ["SCRIPTRUN_RUNTIME"])


def test_a_killed_helper_fails_the_run_and_is_named(mounted):
    helper = helper_of(mounted)
    os.kill(helper, signal.SIGKILL)
    mounted.cancel()
    mounted.wait_for_completion(raise_on_error=False)
    assert (
        f"pid {helper}"
        in json.loads((mounted.path / "attempts" / "1" / "result.json").read_text())["reason"]
    )
    no_mounts_below(os.environ["SCRIPTRUN_RUNTIME"])


def test_the_next_look_unmounts_what_nobody_serves_any_more(mounted):
    guard = json.loads((mounted.path / "attempts" / "1" / "node-0.start.json").read_text())["pid"]
    helper = helper_of(mounted)
    serving = Path(f"/proc/{helper}/task/{helper}/children").read_text().split()
    assert serving, "a process serves the mount"
    for pid in [guard, launcher_of(mounted), *map(int, serving), helper]:
        kill(pid)  # what served a launcher may have ended with it
    gone(helper)
    mounted.wait_for_completion(raise_on_error=False)
    assert mounted.get_status() == "Failed"
    no_mounts_below(os.environ["SCRIPTRUN_RUNTIME"])


def test_a_run_is_canceled_while_its_data_comes(web, workspace, job, monkeypatch):
    web.files["/big.bin"] = b"x" * 100_000
    dataset = Dataset.File.from_files(f"{web.address}/big.bin").register(workspace, "big")
    config = job(LOOKS, dataset.as_download(), "none")
    web.answers += [503] * 5000
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "3600")
    run = Experiment(workspace, "data").submit(config)
    until(lambda: web.seen.count("GET /big.bin") >= 1, lambda: log(run))
    run.cancel()
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Canceled"
    until(
        lambda: str(run.path) not in {log_of(pid) for pid in os.listdir("/proc")},
        "the helper goes on",
    )


@pytest.fixture
def nowhere():
    with servers.deaf() as host:
        yield host


def test_a_run_is_canceled_while_its_outputs_are_sent(workspace, job, nowhere, monkeypatch):
    """The store cannot be reached, which is tried for long."""
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "3600")
    away = Datastore.register_azure_blob_container(
        workspace,
        "away",
        "c",
        servers.ACCOUNT,
        account_key=servers.ACCOUNT_KEY,
        endpoint=f"http://{nowhere}/{servers.ACCOUNT}",
        skip_validation=True,
    )
    out = OutputFileDatasetConfig(destination=(away, "x")).as_upload()
    run = Experiment(workspace, "data").submit(job(LOOKS, out))
    until(lambda: run.get_status() == "Finalizing", run.get_details)
    run.cancel()
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Canceled"
    (kept,) = run.path.glob("data/**/result.txt")
    assert kept.read_text() == "done"


@pytest.mark.stores
def test_a_wrong_key_of_an_output_is_found_before_the_script_starts(
    s3, workspace, job, run, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", servers.S3_KEYS + "not")
    shut = Datastore.register_s3(workspace, "shut", "shared", endpoint=s3, secret="mine")
    out = OutputFileDatasetConfig(destination=(shut, "x")).as_upload()
    done = run(job("import sys; open(sys.argv[1], 'w')", str(tmp_path / "ran"), out))
    assert "in shut: invalid key" in done.standing.reason, done.standing
    assert not (tmp_path / "ran").exists()


def log_of(pid):
    """The run whose helper the process is."""
    try:
        return os.readlink(f"/proc/{pid}/fd/2").removesuffix("/system_logs/data.txt")
    except OSError:
        return ""


def test_where_nothing_can_be_mounted_it_is_said_before(
    blob_store, workspace, put, job, run, tmp_path, monkeypatch
):
    put(blob_store, {"a.txt": "A", "b.txt": "B"})
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "mfusepy.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    monkeypatch.setitem(sys.modules, "mfusepy", None)
    done = run(job(LOOKS, Dataset.File.from_files((blob_store, "*")).as_mount(), "none"))
    assert seen(done)["files"] == {"a.txt": "A", "b.txt": "B"}
    (note,) = [each for each in done.job.notes if "downloaded instead of mounted" in each]
    assert "mfusepy" in note and events(done, "note") == []


def test_each_node_gets_its_data(blob_store, workspace, put, job, run):
    from scriptrun import PyTorchConfiguration

    put(blob_store, {"a.txt": "A"})
    code = """
import os, sys
print(open(sys.argv[1]).read())
open(os.path.join(sys.argv[2], os.environ["RANK"]), "w").write(os.environ["RANK"])
"""
    out = OutputFileDatasetConfig("all", destination=(blob_store, "out")).as_upload()
    out = out.register_on_complete("all")
    config = job(
        code,
        Dataset.File.from_files((blob_store, "a.txt")).as_download(),
        out,
        distributed_job_config=PyTorchConfiguration("Gloo", process_count=4, node_count=2),
    )
    done = run(config)
    assert done.get_status() == "Completed", (done.get_details(), log(done))
    assert [each.path for each in blob_store.store.list("out")] == [f"out/{n}" for n in range(4)]
    assert Dataset.get_by_name(workspace, "all").to_path() == [f"/{n}" for n in range(4)]
    assert len(Dataset.get_by_name(workspace, "all").versions()) == 1


def test_a_store_that_does_not_answer_is_named_in_time(web, workspace, job, run, monkeypatch):
    web.files["/a.bin"] = b"x"
    dataset = Dataset.File.from_files(f"{web.address}/a.bin").register(workspace, "away")
    web.answers += [503] * 1000
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    done = run(job(LOOKS, dataset.as_download(), "none"))
    assert web.address.partition("://")[2].partition(":")[0] in reason(done)
    assert "503" in reason(done)
