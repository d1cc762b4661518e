"""The log of pruned runs."""

from __future__ import annotations

from scriptrun.runtime.injob.short_names import short_name
from scriptrun.tracking import pruned_runs


def test_pruned_runs_are_found_by_id_prefix_and_name(tmp_path):
    assert pruned_runs.find(tmp_path, "a") is None and pruned_runs.all_ids(tmp_path) == set()
    for run_id, name in (("exp_1", "first"), ("exp_12", "second"), ("other_1", "second")):
        pruned_runs.write(tmp_path, run_id, name, "exp", "ann")
    assert pruned_runs.find(tmp_path, "exp_1").name == "first", "an ID before a prefix"
    assert pruned_runs.find(tmp_path, "exp_12").by == "ann"
    assert pruned_runs.find(tmp_path, "oth").id == "other_1"
    assert pruned_runs.find(tmp_path, "exp") is None, "it is ambiguous"
    assert pruned_runs.find(tmp_path, "second").id == "other_1", "the latest of that name"


def test_lines_that_a_power_cut_has_left_are_passed_over(tmp_path):
    pruned_runs.write(tmp_path, "exp_1", "first", "exp", "ann")
    with open(tmp_path / pruned_runs.NAME, "ab") as log:
        log.write(b'\0\0\0\n{"id": "exp_2"}\n[1]\n{"id": "exp_')
    assert pruned_runs.all_ids(tmp_path) == {"exp_1"}


def test_a_pruned_run_is_found_by_its_short_name(tmp_path):
    pruned_runs.write(tmp_path, "exp_1", "exp_1", "exp", "ann")
    assert pruned_runs.find(tmp_path, short_name("exp_1")).id == "exp_1"
