"""How much of what links lead to is copied."""

from __future__ import annotations

import os

import pytest

from scriptrun.runtime.linked_limit import VARIABLE, LinkedLimit


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("5000", 5000), ("1.5 kB", 1500), ("2GiB", 2 << 30), ("1t", 10**12)],
)
def test_a_size_is_the_room(tmp_path, text, size):
    limit = LinkedLimit(str(tmp_path), {VARIABLE: text})
    assert (limit.room, limit.problem) == (size, "")


@pytest.mark.parametrize("text", ["lots", "-1", "1 PB", "GB"])
def test_what_is_no_size_is_a_problem(tmp_path, text):
    limit = LinkedLimit(str(tmp_path), {VARIABLE: text})
    assert VARIABLE in limit.problem
    assert limit.room == LinkedLimit(str(tmp_path), {}).room or limit.room > 0


def test_the_default_leaves_half_of_the_disk(tmp_path):
    status = os.statvfs(tmp_path)
    assert 0 < LinkedLimit(str(tmp_path), {}).room <= status.f_blocks * status.f_frsize // 2


def test_what_is_taken_is_room_no_more(tmp_path):
    limit = LinkedLimit(str(tmp_path), {VARIABLE: "3GB"})
    assert limit.take(10**9)
    assert not limit.take(3 * 10**9)
    assert limit.reason() == f"larger than the 2.0 GB left of {VARIABLE}"
