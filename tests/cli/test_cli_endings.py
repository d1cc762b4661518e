"""What a command ends with: exit codes, sentences on stderr, tracebacks kept in a file."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from scriptrun.cli import crash_report, errors
from scriptrun.cli.terminal import attach, progress, spinner
from scriptrun.spec.errors import (
    ActivityFailedException,
    ExperimentExecutionException,
    ScriptrunError,
    UserErrorException,
)


def raising(error):
    def command(words):
        raise error

    return command


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where tracebacks are kept."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


# exit codes


@pytest.mark.parametrize("code", [0, 1, 7])
def test_what_a_command_returns_is_its_exit_code(code):
    assert errors.run_guarded(lambda words: code, []) == code


def test_a_command_gets_its_words_as_they_are():
    got = []
    assert errors.run_guarded(lambda words: got.extend(words) or 0, ["a b", "", "--x=ü"]) == 0
    assert got == ["a b", "", "--x=ü"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserErrorException("Nothing of the sort.", "Do this."), 2),
        (ActivityFailedException("It failed.", "Do this."), 1),
        (ExperimentExecutionException("Refused.", "Do this."), 3),
    ],
)
def test_an_error_of_ours_is_a_sentence_a_hint_and_its_code(capsys, temporary, error, code):
    assert errors.run_guarded(raising(error), []) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"scriptrun: {error.message}\n  Do this.\n"
    assert list(temporary.iterdir()) == []


def test_without_a_hint_there_is_one_line(capsys):
    assert errors.report_error("So it is.") == errors.USAGE_ERROR
    assert capsys.readouterr().err == "scriptrun: So it is.\n"


def test_what_a_file_put_into_a_message_does_not_flood_the_terminal(capsys):
    errors.report_error(f"Invalid version {'9' * 100_000!r}.\nNext line.", "Change it.")
    told = capsys.readouterr().err
    assert told.startswith("scriptrun: Invalid version '999")
    assert told.endswith("9 ... (90,030 more characters)\nNext line.\n  Change it.\n")


@pytest.mark.parametrize("kind", [ScriptrunError, UserErrorException])
def test_every_error_of_ours_ends_with_the_code_of_its_class(kind):
    assert errors.run_guarded(raising(kind("x")), []) == kind.exit_code


INTERRUPTED = """
import sys
from scriptrun.cli import errors
def interrupted(words):
    raise KeyboardInterrupt
sys.exit(errors.run_guarded(interrupted, []))
"""


def test_an_interrupt_says_nothing():
    result = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"")


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EIO, errno.ENAMETOOLONG]
)
def test_the_systems_trouble_names_the_file_and_is_no_bug(capsys, temporary, number):
    error = OSError(number, os.strerror(number), "/some/where")
    assert errors.run_guarded(raising(error), []) == errors.USAGE_ERROR
    err = capsys.readouterr().err
    assert "/some/where" in err
    assert os.strerror(number) in err
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "path", "code"),
    [
        ("gone.txt", "gone.txt", errors.USAGE_ERROR),
        ("gone.txt", "{here}/gone.txt", errors.USAGE_ERROR),
        ("other.txt", "gone.txt", errors.BUG),
        ("", "gone.txt", errors.BUG),
        ("", "", errors.BUG),
    ],
)
def test_a_file_that_is_missing_is_the_users_only_where_they_named_it(
    tmp_path, monkeypatch, temporary, capsys, word, path, code
):
    monkeypatch.chdir(tmp_path)
    path = path.format(here=tmp_path)
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", path)
    assert errors.run_guarded(raising(error), ["show", word]) == code
    assert len(list(temporary.iterdir())) == (code == errors.BUG)
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_names_its_error_and_the_file_that_has_the_traceback(capsys, temporary):
    assert errors.run_guarded(raising(ZeroDivisionError("seven by zero")), []) == errors.BUG
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "seven by zero" in err
    assert "Traceback" not in err
    (report,) = temporary.iterdir()
    assert str(report) in err
    assert "Traceback" in report.read_text()
    assert "in command" in report.read_text()


def test_a_bug_is_told_whole_where_no_file_can_be_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert errors.run_guarded(raising(ZeroDivisionError("x")), []) == errors.BUG
    assert "Traceback" in capsys.readouterr().err


def caught(text: str) -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


@pytest.mark.parametrize("text", ["plain", "größe 日本", "half a pair: \udc80", "a\nb"])
def test_a_report_holds_what_was_typed_and_any_message(temporary, monkeypatch, text):
    monkeypatch.setattr(sys, "argv", ["scriptrun", "run", "it's here.py"])
    path, told = crash_report.write_down(caught(text))
    kept = Path(path).read_text(encoding="utf-8")
    assert repr("it's here.py") in kept
    assert sys.version.splitlines()[0] in kept
    assert kept.endswith(told.encode("utf-8", "backslashreplace").decode())
    assert Path(path).parent == temporary


def test_a_second_report_overwrites_none(temporary):
    first, _ = crash_report.write_down(caught("first"))
    crash_report.write_down(caught("second"))
    assert "first" in Path(first).read_text()


# streams that are closed


def ends(code: str, tmp_path, **streams) -> subprocess.CompletedProcess[bytes]:
    """What a process ends with that runs ``code`` with stdout and stderr as given."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.run([sys.executable, script], stdin=subprocess.DEVNULL, **streams)


SHOUTS = """
    import sys
    from scriptrun.cli import errors
    def shout(words):
        for _ in range(100_000):
            print("a line for nobody")
        return 0
    sys.exit(errors.run_guarded(shout, []))
"""


def test_a_reader_that_went_away_is_no_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = ends(SHOUTS, tmp_path, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (errors.PIPE, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this machine has no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence(tmp_path):
    with open("/dev/full", "wb") as full:
        done = ends(SHOUTS, tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == errors.USAGE_ERROR
    reason = os.strerror(errno.ENOSPC)
    assert f"Standard output cannot be written: {reason}".encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_saying_something_survives_a_closed_stderr(tmp_path):
    code = """
        import os, sys
        from scriptrun.cli import errors
        sys.stderr.close()
        errors.say("for nobody")
        os._exit(errors.report_error("for nobody", code=9))
    """
    assert ends(code, tmp_path).returncode == 9


def test_what_is_said_comes_after_what_was_printed(tmp_path):
    code = """
        from scriptrun.cli import errors
        print("first")
        errors.say("second")
        print("third")
    """
    both = ends(code, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert both.stdout.split() == [b"first", b"second", b"third"]


# progress


def test_a_counter_counts_from_several_threads():
    counter = progress.Counter(400, 4000)
    threads = [
        threading.Thread(target=lambda: [counter.add(1, 10) for _ in range(100)]) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (counter.files, counter.bytes) == (400, 4000)


@pytest.mark.parametrize(
    ("of", "moved", "words"),
    [
        ((10, 6_000_000), (3, 1_500_000), "3 of 10 files, 1.5 MB of 6.0 MB"),
        ((10, 0), (3, 500), "3 of 10 files, 500 B"),
        ((12_345, 0), (1_234, 0), "1,234 of 12,345 files, 0 B"),
    ],
)
def test_the_words_of_a_counter(of, moved, words):
    counter = progress.Counter(*of)
    counter.add(*moved)
    assert counter.text == words


@pytest.mark.parametrize("quiet", [True, False])
def test_a_short_transfer_says_nothing_where_no_terminal_is(capsys, quiet):
    with progress.show_progress("Copying", 2, 20, quiet) as counter:
        counter.add(2, 20)
    assert counter.text.startswith("2 of 2 files")
    assert capsys.readouterr() == ("", "")


def test_a_long_transfer_says_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "REPORT_INTERVAL", 0.0)
    with progress.show_progress("Copying", 2, 20) as counter:
        counter.add(1, 5)
        counter.add(1, 15)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Copying: 1 of 2 files, 5 B of 20 B", "Copying: 2 of 2 files, 20 B of 20 B"]


# the terminal


def on_terminal(code: str, tmp_path) -> bytes:
    """What a process writes to the terminal that is its stderr."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    told = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        told += piece
    os.close(ours)
    done.communicate()
    assert done.returncode == 0, told
    return told


def test_a_spinner_takes_its_line_away_and_its_timer_too(tmp_path):
    code = """
        import signal
        from scriptrun.cli.terminal import spinner
        spinner.FIRST_DELAY = spinner.INTERVAL = 0.01
        seen = signal.getsignal(signal.SIGALRM)
        with spinner.show_status("Building it"):
            signal.pause()
        assert signal.getsignal(signal.SIGALRM) == seen
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    """
    told = on_terminal(code, tmp_path)
    assert b"Building it ..." in told
    assert told.endswith(b"\r\x1b[K")


def test_a_spinner_is_silent_where_no_terminal_is(capsys):
    with spinner.show_status("Building it"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_spinner_lets_an_error_through(tmp_path):
    code = """
        import signal
        from scriptrun.cli.terminal import spinner
        try:
            with spinner.show_status("Building it"):
                raise ValueError
        except ValueError:
            assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        else:
            raise SystemExit(1)
    """
    assert b"Building" not in on_terminal(code, tmp_path)


def test_bars_on_a_terminal_name_what_moves(tmp_path):
    code = """
        from scriptrun.cli.terminal import progress
        with progress.show_progress("Copying", 2, 20) as counter:
            counter.add(1, 10)
            counter.add(1, 10)
        assert counter.text == "2 of 2 files, 20 B of 20 B"
    """
    assert b"Copying" in on_terminal(code, tmp_path)


# logs as they come


class Both:
    """What was written to stdout and stderr, as bytes."""

    def __init__(self, capfdbinary):
        self._capture = capfdbinary

    def read(self):
        sys.stdout.flush()
        sys.stderr.flush()
        return tuple(self._capture.readouterr())


@pytest.fixture
def both(capfdbinary):
    return Both(capfdbinary)


def test_the_scripts_output_is_stdout_and_the_systems_is_stderr(both):
    shown = attach.LogWriter(None)
    shown.write("user_logs/std_log.txt", b"\xff\x00 any bytes\n")
    shown.write("system_logs/build.txt", b"building\n")
    shown.end_line()
    assert both.read() == (b"\xff\x00 any bytes\n", b"building\n")


def test_quiet_leaves_the_scripts_output_out_only(both):
    shown = attach.LogWriter(None, quiet=True)
    shown.write("user_logs/std_log.txt", b"loss 1\n")
    shown.write("system_logs/build.txt", b"building\n")
    assert both.read() == (b"", b"building\n")


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([(0, b"a\n")], [b"[0] a"]),
        ([(0, b"a"), (1, b"b\n"), (0, b"c\n")], [b"[1] b", b"[0] ac"]),
        ([(0, b"a\nb\n"), (1, b"c")], [b"[0] a", b"[0] b", b"[1] c"]),
        ([(10, b"\n")], [b"[10] "]),
        ([(0, b"")], []),
    ],
)
def test_lines_of_several_ranks_are_whole_and_marked(both, pieces, lines):
    shown = attach.RankLogWriter(None)
    for rank, data in pieces:
        shown.write(f"user_logs/std_log_process_{rank}.txt", data)
    shown.end_line()
    assert both.read() == (b"".join(line + b"\n" for line in lines), b"")


def test_what_the_system_says_is_not_marked_with_a_rank(both):
    shown = attach.RankLogWriter(None)
    shown.write("system_logs/build.txt", b"half ")
    shown.write("system_logs/build.txt", b"a line\n")
    assert both.read() == (b"", b"half a line\n")


def test_a_warning_is_for_people(capsys):
    attach.warn("it is dirty")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(": it is dirty\n")
    assert "\x1b" not in err
