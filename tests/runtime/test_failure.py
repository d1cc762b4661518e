"""Why a script failed, read from the end of its log: of processes that really fail so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from scriptrun.runtime import results
from scriptrun.runtime.launcher import failure, steps, supervise

USAGE = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 1}


@pytest.fixture
def reason(tmp_path):
    """The reason of a script (or of a command) that is run here, with its log."""

    def run(code: str, *, command: str = "", who: str = "", prefix: bytes = b"") -> str:
        log = tmp_path / "user_logs" / "std_log.txt"
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(prefix)
        script = tmp_path / "train.py"
        script.write_text(code)
        argv = ["/bin/sh", "-c", command] if command else [sys.executable, "-u", str(script)]
        with log.open("ab") as handle:
            process = subprocess.Popen(argv, stdout=handle, stderr=handle, cwd=tmp_path)
            status = os.waitpid(process.pid, 0)[1]
            process.returncode = 0
        subject = "the command" if command else "train.py"
        subject += f" on {who}" if who else ""
        value = steps.outcome(supervise.ExitSummary(status, USAGE), subject, who)
        failure.explain(value, str(tmp_path), bool(command))
        assert value["state"] == results.FAILED and "subject" not in value and "who" not in value
        return value["reason"]

    return run


CHAINED = """
try:
    {}["a"]
except KeyError as error:
    raise ValueError("the outer one") from error
"""
HANDLED = """
import sys, traceback
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
for n in range(60):
    print("epoch", n)
sys.exit("no data found")
"""
SHUTDOWN = """
import atexit
class A:
    def __del__(self): raise RuntimeError("while collecting")
a = A()
a.me = a
@atexit.register
def late(): raise OSError("in the handler")
@atexit.register
def last(): print("saved the state")
raise ValueError("the cause")
"""
THREAD = """
import sys, threading
def work(): raise RuntimeError("in a thread")
thread = threading.Thread(target=work); thread.start(); thread.join()
raise ValueError("in main")
"""
CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "raise KeyError('inner')"], check=True)
"""
BAR = """
import sys
for n in range(5):
    sys.stderr.write("\\r%d%%|####" % n)
raise ValueError("beside a bar")
"""
BOXED = """
print("\\u256d\\u2500 Traceback (most recent call last) \\u2500\\u256e")
print("\\u2502 /x/train.py:3 in <module> \\u2502")
print("\\u2570\\u2500\\u2500\\u256f")
print("ValueError: of rich")
raise SystemExit(1)
"""
CELL = """
print("-" * 75)
print("ValueError" + " " * 20 + "Traceback (most recent call last)")
print("Cell In[1], line 1\\n----> 1 raise ValueError('x')\\n\\nValueError: in a cell")
raise SystemExit(1)
"""
WORKER = """
print("Traceback (most recent call last):\\n  File 'x', line 1\\nValueError: in the worker")
print("Traceback (most recent call last):\\n  File 'y', line 2, in <module>")
print("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \\n====\\ntrain.py FAILED")
raise SystemExit(1)
"""
NEVER = """
import asyncio, sys
async def fail(): raise ValueError("never retrieved")
async def main():
    task = asyncio.create_task(fail()); await asyncio.sleep(0); await asyncio.sleep(0); del task
asyncio.run(main())
sys.exit("the real reason")
"""
ONLY_THREAD = """
import os, threading
def work(): raise RuntimeError("in a thread")
thread = threading.Thread(target=work); thread.start(); thread.join()
os._exit(1)
"""
NESTED_GROUP = """
try:
    raise ExceptionGroup("inner", [ValueError("first\\nsecond"), KeyError("k")])
except* KeyError:
    raise RuntimeError("wrapped")
"""
GROUP = 'raise ExceptionGroup("several", [ValueError("a"), ExceptionGroup("b", [OSError("c")])])'
COLOURS = r"print('\x1b[31mTraceback (most recent call last):\x1b[0m\n  File \"x\", line 1\n\x1b[1;35mValueError\x1b[0m: \x1b[35mcoloured\x1b[0m'); raise SystemExit(1)"
CASES = {
    "plain": ("int('x')", "ValueError: invalid literal for int() with base 10: 'x'"),
    "several lines": ("raise ValueError('first\\nsecond: x\\n\\nthird')", "ValueError: first"),
    "begins on the next line": ("raise ValueError('\\n  the message')", "ValueError: the message"),
    "no message": ("assert 1 == 2", "AssertionError"),
    "chained": (CHAINED, "ValueError: the outer one"),
    "own class": ("class Odd(Exception): pass\nraise Odd('x')", "Odd: x"),
    "dotted": ("import json; json.loads('{')", "json.decoder.JSONDecodeError: Expecting"),
    "syntax": ("x = = 1", "SyntaxError: invalid syntax"),
    "indentation": ("def f():\nreturn 1", "IndentationError: expected an indented block"),
    "import": ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
    "deep": ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "exit with text": ("import sys; sys.exit('no data')", "train.py exited with code 1: no data"),
    "exit with code": (
        "import sys; print('epoch 3'); sys.exit(3)",
        "train.py exited with code 3; last line: epoch 3",
    ),
    "exit with an error": (
        "import argparse; p = argparse.ArgumentParser(); p.add_argument('--a', required=True)\n"
        "p.parse_args()",
        "train.py exited with code 2: train.py: error: the following arguments are required: --a",
    ),
    "interrupted": ("raise KeyboardInterrupt", "was killed by SIGINT: KeyboardInterrupt"),
    "group": (GROUP, "ExceptionGroup: several (2 sub-exceptions): ValueError: a"),
    "group with other groups": (
        NESTED_GROUP,
        "ExceptionGroup: (2 sub-exceptions): KeyError: 'k'",
    ),
    "task that nobody awaited": (NEVER, "train.py exited with code 1: the real reason"),
    "only a thread": (ONLY_THREAD, "RuntimeError: in a thread"),
    "own hook": (
        "import sys; sys.excepthook = lambda kind, value, _: print('crashed:', value)\nint('x')",
        "train.py exited with code 1: crashed: invalid literal",
    ),
    "abort": ("import os; os.abort()", "train.py was killed by SIGABRT"),
    "segfault": (
        "import faulthandler, os, signal; faulthandler.enable(); os.kill(os.getpid(), 11)",
        "train.py was killed by SIGSEGV: Fatal Python error: Segmentation fault",
    ),
    "killed": (
        "import os; print('error'); os.kill(os.getpid(), 9)",
        "by a user or the OOM killer)",
    ),
    "exit handlers": (SHUTDOWN, "ValueError: the cause"),
    "handled long ago": (HANDLED, "train.py exited with code 1: no data found"),
    "thread": (THREAD, "ValueError: in main"),
    "child": (CHILD, "subprocess.CalledProcessError: Command '["),
    "bar": (BAR, "ValueError: beside a bar"),
    "colours": (COLOURS, "ValueError: coloured"),
    "boxed": (BOXED, "ValueError: of rich"),
    "cell": (CELL, "ValueError: in a cell"),
    "worker": (WORKER, "ValueError: in the worker"),
    "other code": (
        "import sys, traceback\ntry: 1 / 0\nexcept Exception: traceback.print_exc(); sys.exit(4)",
        "ZeroDivisionError: division by zero (exit code 4)",
    ),
    "silent": ("import os; os._exit(5)", "train.py exited with code 5"),
    "surrogate": ("raise ValueError('\\udc80 and \\x1b[2J')", "ValueError: \\udc80 and"),
    "bytes": (
        "import os; os.write(2, b'\\xff\\xfe failed\\x00\\n'); os._exit(2)",
        "exited with code 2: \ufffd\ufffd failed",
    ),
}


@pytest.mark.parametrize(("code", "expected"), CASES.values(), ids=CASES)
def test_the_reason_names_what_the_script_printed(reason, code, expected):
    text = reason(code)
    assert expected in text
    assert "\n" not in text and "\x1b" not in text and len(text) <= 300


COMMANDS = {
    "missing program": ("no-such-program", "the command exited with code 127: /bin/sh: 1: no-such"),
    "last line": ("echo 'fatal: not a repository' >&2; exit 128", "fatal: not a repository"),
    "signal in a shell": (f"{sys.executable} -c 'import os; os.abort()'; exit $?", "134 (SIGABRT)"),
    "python in a shell": (f"{sys.executable} -c 'raise OSError(5)'; exit 1", "OSError: 5"),
}


@pytest.mark.parametrize(("line", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_s_reason_is_its_last_line_with_the_code(reason, line, expected):
    assert expected in reason("", command=line)


def test_the_rank_stands_before_its_exception(reason):
    assert reason("int('x')", who="rank 3 (node 1: a)").startswith("rank 3 (node 1: a): ValueError")
    assert reason("raise SystemExit(3)", who="rank 3") == "train.py on rank 3 exited with code 3"


def test_a_long_message_is_cut(reason):
    text = reason("raise ValueError('x' * 10_000)")
    assert text.startswith("ValueError: xxx") and text.endswith("…") and len(text) == 300


def test_a_log_of_utf_16(reason):
    text = "Traceback (most recent call last):\n  File 'x', line 1\nValueError: wide\n"
    assert reason("import os; os._exit(1)", prefix=text.encode("utf-16")) == "ValueError: wide"


def test_only_the_end_of_a_huge_log_is_read(tmp_path):
    log = tmp_path / "user_logs" / "std_log.txt"
    log.parent.mkdir()
    with log.open("wb") as handle:
        handle.truncate(50 << 30)  # a sparse file: whoever read all of it would not end
        handle.seek(0, os.SEEK_END)
        handle.write(b"\nTraceback (most recent call last):\n  File 'x', line 1\nOSError: late\n")
    value = steps.outcome(supervise.ExitSummary(1 << 8, USAGE), "train.py")
    failure.explain(value, str(tmp_path))
    assert value["reason"] == "OSError: late"


def test_running_out_of_memory_is_not_explained_away(tmp_path):
    ending = supervise.ExitSummary(9, USAGE)
    ending.starved = True
    value = steps.outcome(ending, "train.py")
    failure.explain(value, str(tmp_path))
    assert value["reason"] == "train.py was killed by SIGKILL: out of memory"


def test_other_endings_are_left_alone(tmp_path):
    for ending in (
        supervise.ExitSummary(0, USAGE),
        supervise.ExitSummary(15, USAGE, canceled=True),
        supervise.ExitSummary(15, USAGE, "a node was lost"),
    ):
        value = steps.outcome(ending, "train.py")
        before = dict(value)
        failure.explain(value, str(tmp_path))
        assert value == before


def test_a_log_full_of_frames_is_read_once(tmp_path):
    log = tmp_path / "user_logs" / "std_log.txt"
    log.parent.mkdir()
    frames = '  File "x", line 1\n' * 6000
    log.write_text(f"{frames}not an exception, but text\n{frames}ValueError: found\n")
    value = steps.outcome(supervise.ExitSummary(1 << 8, USAGE), "train.py")
    failure.explain(value, str(tmp_path))
    assert value["reason"] == "ValueError: found"


@pytest.mark.parametrize(
    ("log", "code", "reason"),
    [
        ("error: port 80 is in use\n", 1, "port 80 is in use"),
        (
            "Traceback (most recent call last):\nValueError: of a request\nerror: gave up\n",
            1,
            "gave up",
        ),
        (
            "Traceback (most recent call last):\nValueError: no weights\n",
            1,
            "ValueError: no weights",
        ),
        ("", 3, "the server exited with code 3"),
    ],
)
def test_a_server_that_ends_itself_says_why_on_its_last_line(tmp_path, log, code, reason):
    path = tmp_path / "user_logs" / "std_log.txt"
    path.parent.mkdir()
    path.write_text(log)
    value = steps.outcome(
        supervise.ExitSummary(code << 8, USAGE), steps.subject_of({"kind": "service"})
    )
    failure.explain(value, str(tmp_path), is_server=True)
    assert value["reason"] == reason
