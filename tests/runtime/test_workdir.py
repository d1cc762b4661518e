"""Laying a snapshot out: what the launcher does on its own, without the rest of the package."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import old_pythons
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime import workdir
from scriptrun.store.snapshots import snapshots


@pytest.fixture
def taken(tmp_path) -> tuple[Path, str, Path]:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "big").write_bytes(random.Random(0).randbytes(3 << 20))
    return tmp_path / "store", snapshots.take(tmp_path / "store", source).digest, source


@given(st.binary(min_size=1))
def test_names_stand_on_one_line_and_come_back(name):
    line = workdir.escape(name)
    assert b"\n" not in line
    assert workdir.unescape(line) == name


@pytest.mark.parametrize(
    "python",
    [*old_pythons.to_try(old_pythons.LAUNCHER), sys.executable],
    ids=old_pythons.version_of,
)
def test_it_needs_no_more_than_a_bare_interpreter(taken, tmp_path, python):
    store, digest, source = taken
    script = "import sys; sys.path.insert(0, sys.argv[1]); import workdir; workdir.materialise(*sys.argv[2:])"
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(workdir.__file__, alone)
    subprocess.run(
        [python, "-I", "-S", "-c", script, alone, store, digest, tmp_path / "work"], check=True
    )
    assert (tmp_path / "work/big").read_bytes() == (source / "big").read_bytes()
    assert (tmp_path / "work/empty").is_dir()


def test_nothing_that_stands_there_is_overwritten(taken, tmp_path):
    store, digest, _ = taken
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a").write_text("mine")
    with pytest.raises(FileExistsError):
        workdir.materialise(store, digest, tmp_path / "work")
    assert (tmp_path / "work/a").read_text() == "mine"


def test_the_umask_counts(taken, tmp_path):
    store, digest, _ = taken
    mask = os.umask(0o077)
    try:
        workdir.materialise(store, digest, tmp_path / "work")
    finally:
        os.umask(mask)
    assert (tmp_path / "work/a").stat().st_mode & 0o777 == 0o600


def test_what_is_damaged_is_named(taken, tmp_path):
    store, digest, _ = taken
    manifest = Path(workdir.manifest_path(store, digest))
    content = manifest.read_bytes()
    manifest.write_bytes(content.replace(b"snapshot 1", b"snapshot 9"))
    with pytest.raises(workdir.SnapshotDamaged, match="newer scriptrun"):
        workdir.materialise(store, digest, tmp_path / "one")
    manifest.write_bytes(content[: len(content) // 2] + b"\n")
    with pytest.raises(workdir.SnapshotDamaged, match="damaged"):
        workdir.materialise(store, digest, tmp_path / "two")
    manifest.write_bytes(content)
    shutil.rmtree(store / "objects")
    with pytest.raises(workdir.SnapshotDamaged, match="is missing"):
        workdir.materialise(store, digest, tmp_path / "three")


@pytest.mark.parametrize("name", ["a", "big"])
def test_changed_content_is_never_laid_out(taken, tmp_path, name):
    """Neither a file of a pack nor one that is stored by itself; nothing of it is left behind."""
    store, digest, source = taken
    (damaged,) = store.glob("packs/*.pack" if name == "a" else "objects/??/*")
    damaged.write_bytes(b"\0" * damaged.stat().st_size)
    with pytest.raises(workdir.SnapshotDamaged, match="is damaged") as problem:
        workdir.materialise(store, digest, tmp_path / "work")
    assert str(damaged) in str(problem.value)
    assert problem.value.digest == hashlib.sha256((source / name).read_bytes()).hexdigest()
    assert not (tmp_path / "work" / name).exists()


@pytest.mark.parametrize(
    "place", [b"../../x 0", b"1234 -5", b"1234 x", b"1234 " + b"9" * 40, b"\xff 0"]
)
def test_places_that_lead_nowhere_are_refused(taken, tmp_path, place):
    store, digest, _ = taken
    places = Path(workdir.manifest_path(store, digest) + ".places")
    lines = places.read_bytes().splitlines()
    places.write_bytes(b"\n".join([lines[0], *[place] * len(lines[1:])]) + b"\n")
    with pytest.raises(workdir.SnapshotDamaged, match=r"\.places is damaged"):
        workdir.materialise(store, digest, tmp_path / "work")


def test_content_is_read_from_any_pack_that_has_it(taken, tmp_path):
    store, digest, _ = taken
    (pack,) = store.glob("packs/*.pack")
    for path in (pack, pack.with_suffix(".index")):
        shutil.copy(path, path.with_stem("f" * 16))
    pack.write_bytes(b"")
    workdir.materialise(store, digest, tmp_path / "work")
    assert (tmp_path / "work/a").read_text() == "a"


@pytest.mark.parametrize("size", [1, 1 << 30])
def test_both_kinds_of_hasher_agree(size):
    assert workdir.new_sha256(size, b"x").hexdigest() == hashlib.sha256(b"x").hexdigest()


def test_a_file_system_that_cannot_clone_or_copy_by_itself(taken, tmp_path, monkeypatch):
    store, digest, source = taken
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    monkeypatch.delattr(os, "pread")
    workdir.materialise(store, digest, tmp_path / "work")
    assert (tmp_path / "work/big").read_bytes() == (source / "big").read_bytes()
    assert (tmp_path / "work/a").read_text() == "a"
