"""Names, tags, metrics, files and logs full of escape sequences, on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from scriptrun import Experiment, ScriptRunConfig, Workspace

#: what a terminal must never get: it clears the screen, sets the clipboard, links, asks for answers
HOSTILE = "x\x1b[2J\x1b]52;c;aGk=\x07\x1b]8;;http://x\x1b\\\x9b31m\u202e\r\x08y"
SCRIPT = r"""
import os, sys
from scriptrun import Run

run = Run.get_context()
hostile = sys.argv[1]
run.log(hostile, 1.0)
run.tag(hostile, hostile)
os.makedirs("outputs", exist_ok=True)
with open(os.path.join("outputs", hostile.replace("/", "_")), "w") as file:
    file.write(hostile)
sys.stdout.buffer.write(b"\x1b[32mgreen\x1b[0m\n" + hostile.encode() + b"\n10%\r20%\n")
sys.stdout.flush()
sys.exit(hostile if len(sys.argv) > 2 else 0)
"""


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """A workspace, and two runs in it: one that completed and one that failed."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "RUNTIME", "SLOTS"):
            patch.setenv(f"SCRIPTRUN_{name}", str(tmp_path_factory.mktemp(name)))
        patch.setenv("SCRIPTRUN_CONTAINER_TOOL", "none")
        workspace = Workspace.create("w", path=str(folder), exist_ok=True)
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text(SCRIPT)
        runs = []
        for words in ([HOSTILE], [HOSTILE, "fail"]):
            config = ScriptRunConfig(str(folder / "src"), script="train.py", arguments=words)
            config.run_config.environment.python.user_managed_dependencies = True
            config.run_config.environment.python.interpreter_path = sys.executable
            run = Experiment(workspace, "e").submit(config, tags={HOSTILE: HOSTILE})
            run.wait_for_completion(raise_on_error=False)
            run.display_name = HOSTILE
            runs.append(run)
        yield folder, [run.id for run in runs], dict(os.environ)


def on_a_terminal(folder, variables, *words):
    """What ``scriptrun WORDS`` writes to a terminal, as bytes."""
    main, side = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "scriptrun", *words],
            **dict.fromkeys(("stdin", "stdout", "stderr"), side),
            cwd=folder,
            env={**variables, "TERM": "xterm", "COLUMNS": "200"},
        ):
            os.close(side)
            return read_all(main)
    finally:
        os.close(main)


def read_all(descriptor):
    data = b""
    while True:
        try:
            piece = os.read(descriptor, 1 << 16)
        except OSError:  # Linux: nobody has the other end open
            return data
        if not piece:
            return data
        data += piece


def is_clean(data: bytes) -> bool:
    """Whether nothing but colours, line ends and status lines is left."""
    rest = re.sub(rb"\x1b\[[0-9;]*m|\r\x1b\[K|\r\n", b"", data)
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", rest.decode("utf-8"))


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show", "RUN"],
        ["show", "FAILED"],
        ["diff", "RUN", "FAILED"],
        ["download", "RUN", "-o", "copy"],
        ["lineage", HOSTILE],
        ["export", "RUN", "--to", "shell"],
        ["show", HOSTILE + "z"],
        ["run", HOSTILE],
        ["data", "show", HOSTILE],
        ["env", "show", HOSTILE],
        ["model", "show", HOSTILE],
        ["compute", "check", HOSTILE],
        ["show", "RUN", "--json"],
        ["completion", "bash"],
    ],
    ids=lambda words: " ".join(words[:1] + words[2:])[:20].encode("ascii", "replace").decode(),
)
def test_a_terminal_gets_no_sequences_of_names(submitted, words):
    folder, (done, failed), variables = submitted
    named = [{"RUN": done, "FAILED": failed}.get(word, word) for word in words]
    shown = on_a_terminal(folder, variables, *named)
    assert shown
    assert is_clean(shown), shown


def test_a_terminal_gets_colours_and_progress_bars_of_logs(submitted):
    folder, (done, failed), variables = submitted
    for words in (["logs", done], ["logs", failed], ["logs", done, "-f"]):
        shown = on_a_terminal(folder, variables, *words)
        assert b"\x1b[32mgreen\x1b[0m" in shown
        assert b"10%\r20%" in shown
        assert is_clean(re.sub(rb"10%\r|31m\\u202e\r", b"", shown)), shown


def test_a_rerun_streams_a_clean_log(submitted):
    folder, (done, _), variables = submitted
    shown = on_a_terminal(folder, variables, "rerun", done)
    assert b"\x1b[32mgreen\x1b[0m" in shown
    assert is_clean(re.sub(rb"10%\r|31m\\u202e\r", b"", shown)), shown


def test_raw_logs_are_raw(submitted):
    folder, (done, _), variables = submitted
    shown = on_a_terminal(folder, variables, "logs", done, "--raw")
    assert HOSTILE.encode() in shown


def test_a_pipe_gets_the_log_byte_for_byte(submitted):
    folder, (done, _), variables = submitted
    command = [sys.executable, "-m", "scriptrun", "logs", done]
    piped = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True)
    logs = folder.rglob(f"{done}/user_logs/std_log.txt")
    assert piped.stdout == next(logs).read_bytes()


def test_other_output_is_clean_in_a_pipe_too(submitted):
    folder, _, variables = submitted
    for word in ("show", "list", "diff"):
        command = [sys.executable, "-m", "scriptrun", word]
        piped = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True)
        assert b"\x1b" not in piped.stdout + piped.stderr
        assert is_clean(piped.stdout)
