"""What lay in the source's outputs/ before a run is no output of the run."""

from __future__ import annotations

import os
import sys

import pytest

from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.dataset import OutputFileDatasetConfig
from scriptrun.core.datastore import Datastore
from scriptrun.core.experiment import Experiment
from scriptrun.history import compare, rerun
from scriptrun.runtime import source_files, workdir
from scriptrun.runtime.injob import artifacts
from scriptrun.runtime.launcher import collect, output_links
from scriptrun.store.snapshots import snapshots
from scriptrun.testing.jobs import Bench

FILES = {
    "outputs/kept.txt": "kept",
    "outputs/changed.txt": "aaaa",
    "outputs/swapped.txt": "aaaa",
    "outputs/removed.txt": "gone",
    "outputs/deep/kept.txt": "deep",
    "logs/old.log": "log",
}
CHANGES = """
import os
open("outputs/changed.txt", "w").write("bbbb")
before = os.stat("outputs/swapped.txt")
open("outputs/other", "w").write("bbbb")
os.replace("outputs/other", "outputs/swapped.txt")
os.utime("outputs/swapped.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
os.remove("outputs/removed.txt")
os.utime("outputs/kept.txt")
open("outputs/new.txt", "w").write("new")
from scriptrun import Run
run = Run.get_context()
print("listed", [name for name in run.get_file_names() if "user_logs" not in name])
"""
WRITTEN = ["outputs/changed.txt", "outputs/new.txt", "outputs/swapped.txt"]


def lay_out(folder, **more):
    for name, content in {**FILES, **more}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def names_of(run):
    return [name for name in run.get_file_names() if name.startswith(("outputs/", "logs/"))]


def run_here(bench, code, **settings):
    lay_out(bench.source(code))
    return bench.run(code, **settings)


def test_only_what_the_script_wrote_counts(bench, tmp_path):
    run = run_here(bench, CHANGES)
    assert names_of(run) == WRITTEN
    assert f"listed {WRITTEN}" in (run.path / "user_logs" / "std_log.txt").read_text()
    assert sorted(compare.digests(run.path)) == WRITTEN
    run.download_files(output_directory=str(tmp_path / "all"), prefix="outputs")
    assert sorted(os.listdir(tmp_path / "all" / "outputs")) == [
        "changed.txt", "new.txt", "swapped.txt"
    ]  # fmt: skip
    assert source_files.marked(run.path) == {
        "logs/old.log", "outputs/deep/kept.txt", "outputs/kept.txt"
    }  # fmt: skip
    run.download_file("outputs/kept.txt", str(tmp_path / "asked"))  # by its name it is there
    assert (tmp_path / "asked").read_text() == "kept"


def test_an_explicit_upload_counts_whatever_its_content(bench):
    run = run_here(
        bench,
        "from scriptrun import Run\n"
        "run = Run.get_context()\n"
        "run.upload_file('outputs/kept.txt', 'outputs/kept.txt')\n"
        "run.upload_folder('outputs/deep', 'outputs/deep')\n",
    )
    assert names_of(run) == ["outputs/deep/kept.txt", "outputs/kept.txt"]
    run.upload_file("logs/old.log", str(bench.root / "source" / "logs" / "old.log"))
    assert "logs/old.log" in names_of(run)


def test_a_failed_and_a_retried_run_count_their_files(bench):
    code = """
import os
ended_before = os.path.exists(os.environ["SCRIPTRUN_CHECKPOINT_DIR"] + "/mark")
open(os.environ["SCRIPTRUN_CHECKPOINT_DIR"] + "/mark", "w").close()
if not ended_before:
    open("outputs/changed.txt", "w").write("of the first attempt")
    from scriptrun import Run
    Run.get_context().upload_file("outputs/kept.txt", "outputs/kept.txt")
open("outputs/new.txt", "w").write("new")
raise SystemExit(1)
"""
    lay_out(bench.source(code))
    config = ScriptRunConfig(bench.root / "source", "job.py")
    config.retries, config.retry_on = 1, ("exit:1",)
    run = Experiment(bench.workspace, "retried").submit(config)
    run.wait_for_completion(raise_on_error=False)
    assert sorted(os.listdir(run.path / "attempts")) == ["1", "2"]
    assert names_of(run) == ["outputs/changed.txt", "outputs/kept.txt", "outputs/new.txt"]
    assert (run.path / "outputs" / "changed.txt").read_text() == "of the first attempt"


def test_a_verified_rerun_and_a_sound_comparison(bench):
    code = "open('outputs/new.txt', 'w').write('new')"
    first, second = run_here(bench, code), bench.run(code)
    assert rerun.verify(first, second).answer == "same"
    assert not compare.compare(first, second).outputs


def test_a_run_that_lists_the_sources_files_compares_with_one_that_does_not(bench):
    """As the runs of earlier versions."""
    code = "open('outputs/new.txt', 'w').write('new')"
    first, second = run_here(bench, code), bench.run(code)
    (first.path / source_files.UNCHANGED_FILE).unlink()
    assert rerun.verify(first, second).answer == "same"
    assert not compare.compare(second, first).outputs
    (first.path / "outputs" / "kept.txt").write_text("other")
    assert list(compare.compare(first, second).outputs) == ["outputs/kept.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="rehearsals need Linux")
def test_nodes_count_what_any_of_them_wrote(bench):
    code = """
import os
if os.environ["RANK"] == "1":
    open("outputs/changed.txt", "w").write("by node 1")
else:
    open("outputs/new.txt", "w").write("by node 0")
    os.remove("outputs/removed.txt")
"""
    run = run_here(bench, code, pytorch=[2, 2])
    assert run.get_status() == "Completed"
    assert names_of(run) == ["outputs/changed.txt", "outputs/new.txt"]
    assert (run.path / "outputs" / "changed.txt").read_text() == "by node 1"
    assert not (run.path / "outputs" / "removed.txt").exists()


@pytest.mark.parametrize("mode", ["upload", "mount"])
def test_an_output_folder_of_the_source_uploads_what_is_new(bench, tmp_path, mode):
    (tmp_path / "there").mkdir()
    store = Datastore.register_local(bench.workspace, "there", str(tmp_path / "there"))
    source = lay_out(bench.source("open('results/new.txt', 'w').write('new')"))
    (source / "results").mkdir()
    (source / "results" / "old.txt").write_text("old")
    output = OutputFileDatasetConfig("made", destination=(store, "to"), source="results")
    output = output.as_upload(overwrite=True) if mode == "upload" else output.as_mount()
    config = ScriptRunConfig(source, "job.py", arguments=["--out", output])
    run = Experiment(bench.workspace, "uploads").submit(config)
    run.wait_for_completion()
    assert os.listdir(tmp_path / "there" / "to") == ["new.txt"]


@pytest.fixture
def laid_out(tmp_path):
    """A run's folder with the working directory of a snapshot, and the digest."""
    source = lay_out(tmp_path / "source")
    (source / "data").mkdir()
    (source / "data" / "in.txt").write_text("in")
    (source / "outputs" / "link.txt").symlink_to("../data/in.txt")
    result = snapshots.take(tmp_path / "store", source)
    run = tmp_path / "run"
    staged = collect.staging_folder(str(run), 1)
    workdir.materialise(tmp_path / "store", result.digest, staged)
    source_files.record(staged, tmp_path / "store", result.digest, collect.ARTIFACT_FOLDERS)
    work = collect.promote_staging(str(run), 1)
    return run, work


def test_links_count_by_what_they_lead_to(laid_out):
    run, work = laid_out
    assert artifacts.names(run) == []
    with open(os.path.join(work, "data", "in.txt"), "w") as file:
        file.write("ab")  # as long as before
    assert artifacts.names(run) == ["outputs/link.txt"]


def test_the_mark_outlives_killed_launchers(laid_out):
    run, _ = laid_out
    for _ in range(2):  # the second time nothing is left to do
        output_links.keep_content(str(run))
        collect.collect(str(run))
    assert artifacts.names(run) == []
    assert artifacts.path_of(run, "outputs/link.txt") == str(run / "outputs" / "link.txt")
    assert sorted(os.listdir(run)) == ["logs", "outputs", source_files.UNCHANGED_FILE]
    assert artifacts.unchanged_names(run, "outputs/deep") == ["outputs/deep/kept.txt"]


def test_a_damaged_record_marks_nothing(laid_out):
    run, work = laid_out
    for damage in ("{", "[]", '{"files": {"outputs/kept.txt": 3}, "as_of": 1}', '{"unchanged": 1}'):
        with open(work + ".source.json", "w") as file:
            file.write(damage)
        assert "outputs/kept.txt" in artifacts.names(run)


def test_a_quiet_source_leaves_no_record(bench):
    run = bench.run("open('outputs/new.txt', 'w').write('new')")
    assert names_of(run) == ["outputs/new.txt"]
    assert not (run.path / source_files.UNCHANGED_FILE).exists()
