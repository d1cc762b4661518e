from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.engines.local import slots

GPUS = ["GPU-aa11", "GPU-aa22", "GPU-bb33"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, GPUS),
        ("", []),
        ("-1", []),
        ("0", GPUS[:1]),
        ("2,0", [GPUS[2], GPUS[0]]),
        ("1,7,0", GPUS[1:2]),
        ("1,x,0", GPUS[1:2]),
        ("GPU-bb", GPUS[2:]),
        ("GPU-bb33, 0", [GPUS[2], GPUS[0]]),
        ("GPU-cc", []),
        ("0,0", GPUS[:1]),
        ("MIG-GPU-aa11/1/0", []),
        ("²", []),
    ],
)
def test_what_cuda_visible_devices_lets_through(visible, expected):
    assert slots.visible_gpus(GPUS, visible) == expected


@given(st.text())
def test_no_text_breaks_it_and_nothing_is_handed_out_twice(visible):
    found = slots.visible_gpus(GPUS, visible)
    assert set(found) <= set(GPUS)
    assert len(found) == len(set(found))


def take_elsewhere(root, runs):
    """Another process: how many slots it gets, of ``runs``."""
    code = (
        "import sys; from pathlib import Path; from scriptrun.engines.local import slots; "
        "held = [slots.take(Path(sys.argv[1]), int(sys.argv[2]), 0) for _ in range(int(sys.argv[2]))]; "
        "print(sum(each is not None for each in held))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(runs)], capture_output=True, text=True
    )
    return int(done.stdout)


def test_processes_share_the_machines_slots(tmp_path):
    mine = [slots.take(tmp_path, 3, 0) for _ in range(2)]
    assert None not in mine
    assert take_elsewhere(tmp_path, 3) == 1
    mine[0].close()
    assert take_elsewhere(tmp_path, 3) == 2
    mine[1].close()
    assert take_elsewhere(tmp_path, 3) == 3


def test_a_target_with_more_room_shares_with_one_that_has_less(tmp_path):
    narrow = slots.take(tmp_path, 1, 0)
    assert slots.take(tmp_path, 1, 0) is None
    wide = [slots.take(tmp_path, 3, 0) for _ in range(3)]
    assert [each is None for each in wide] == [False, False, True]
    for each in (narrow, *wide[:2]):
        each.close()


def test_a_child_that_inherited_it_holds_on(tmp_path):
    held = slots.take(tmp_path, 1, 0)
    child = subprocess.Popen(["sleep", "3600"], pass_fds=held.descriptors)
    held.close()
    try:
        assert slots.take(tmp_path, 1, 0) is None
    finally:
        child.kill()
        child.wait()
    again = slots.take(tmp_path, 1, 0)
    assert again is not None
    again.close()


def test_gpus_are_handed_out_one_by_one(tmp_path, monkeypatch):
    """The listing of GPUs is the driver's; here a directory laid out as it is stands for it."""
    for number, uuid in enumerate(GPUS):
        place = tmp_path / "gpus" / f"0000:0{number}:00.0"
        place.mkdir(parents=True)
        (place / "information").write_text(f"Model: \t A\nIRQ: 7\nGPU UUID: \t {uuid}\n")
    monkeypatch.setattr(slots, "_GPUS", tmp_path / "gpus")
    root = tmp_path / "slots"
    root.mkdir()
    held = [slots.take(root, None) for _ in range(4)]
    assert [each and each.gpus for each in held] == [(uuid,) for uuid in GPUS] + [None]
    held[1].close()
    assert slots.take(root, None, visible="0") is None
    bound = slots.take(root, None, visible="0,1")
    assert bound.gpus == (GPUS[1],)
    bound.close()
    assert slots.take(root, 1, visible="") is not None, "a job that may have no GPU takes a slot"
    unasking = [slots.take(root, None, 0) for _ in range(3)]
    assert [each and each.gpus for each in unasking] == [(), None, None]


def test_a_slot_is_open_to_every_user(tmp_path):
    before = os.umask(0o077)
    try:
        slots.take(tmp_path, 1, 0).close()
    finally:
        os.umask(before)
    assert (tmp_path / "slot-0").stat().st_mode & 0o777 == 0o666
