"""Masking what a job printed, in place."""

import os
import subprocess
import sys

from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.tracking.masking import Mask

VALUE = "hunter2-\u00e9"


def test_what_is_added_is_overwritten_and_keeps_its_length(tmp_path):
    log = tmp_path / "user_logs" / "std_log.txt"
    log.parent.mkdir()
    long = "x" * ((1 << 20) - 4)  # a value across the border of what is read at once
    log.write_text(f"{long}{VALUE} and {VALUE}{VALUE}\n")
    size = os.path.getsize(log)
    mask = Mask(str(tmp_path))
    mask.hide(VALUE)
    mask.mask_new_text()
    assert VALUE not in log.read_text() and log.read_text().count("*") == 30
    assert os.path.getsize(log) == size
    with log.open("a") as handle:
        handle.write("hunter2")
        mask.mask_new_text()
        handle.write("-\u00e9\n")
    mask.mask_new_text()
    assert VALUE not in log.read_text()


def test_a_process_without_exit_handlers_masks_a_last_time(tmp_path):
    log = tmp_path / "user_logs" / "std_log.txt"
    log.parent.mkdir()
    log.write_text(VALUE)
    program = f"import os; from scriptrun.tracking import masking; masking.hide({VALUE!r}); "
    environ = {**os.environ, "SCRIPTRUN_RUN_FOLDER": str(tmp_path)}
    for ending, is_masked in (("", False), ("masking.finish(); ", True)):
        command = [sys.executable, "-c", f"{program}{ending}os._exit(0)"]
        subprocess.run(command, env=environ, check=True)
        assert (VALUE not in log.read_text()) == is_masked


def test_a_script_that_is_killed_has_its_secret_masked_too(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", VALUE)
    bench = Bench(tmp_path / "bench")
    run = bench.submit(
        "import os; from scriptrun import Run\n"
        "print('it is', Run.get_context().get_secret('mine'), flush=True)\n"
        "os.kill(os.getpid(), 9)\n",
        python="/usr/bin/python3",
    )
    assert wait(run) == "Failed"
    until(lambda: "it is ***" in log_of(run))
    assert VALUE not in log_of(run)
