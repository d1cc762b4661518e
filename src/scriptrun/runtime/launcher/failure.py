"""Why a script failed, read from the end of its log: its exception, else its last line.

Only the end of a log is read, whatever its size (Python 3.8+).
"""

import os
import re

from .. import log_tail, processes, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: how much of a log's end is read to find the exception, and the longest reason
_TAIL, _LONGEST = 128 << 10, 300
#: lines that may follow the exception of a script: those of exit handlers, of a logging library
_AFTER, _AFTER_OTHER_CODES = 50, 3
_HEADER = re.compile(r"Traceback \(most recent call last\)")
_GROUP = re.compile(
    r"^( +)(?:\+ Exception Group Traceback \(most recent call last\):"
    r"|\| [\w.]+: .*\(\d+ sub-exceptions?\))$"
)
_FRAME = re.compile(r'^\s+File ".*", line \d+')
_EXCEPTION = re.compile(r"^([A-Za-z_][\w.<>]*)(?:: ?(.*))?$")
#: what precedes the traceback of an error that ends no process
_ASIDE = re.compile(
    r"^(Exception ignored|Exception in thread|Exception in callback|--- Logging error|Error in"
    r"|Task exception was never retrieved|.* was never retrieved$)"
)
#: what frames a traceback of rich
_BOX = "│╭╰┃┏┗"
#: errors of a launcher whose worker printed the cause before
_WORKER_FAILED = ("ChildFailedError",)
_CRASHES = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGSYS", "SIGTRAP")
_CRASH = re.compile(r"^(?:\s*what\(\): +(.+)|(Fatal Python error: .+))$")
_LOOKS_LIKE_ERROR = re.compile(
    r"error|fatal|fail|cannot|can't|could not|unable|no such|not found|denied|invalid|required"
    r"|usage:|panic|abort|exception|core dumped",
    re.I,
)


def explain(value: "Json", folder: str, is_command: bool = False, is_server: bool = False) -> None:
    """Put the cause of a failed script, as its log says, into the reason of the result ``value``.

    ``steps.outcome`` says whose failure it is (``subject``, ``who``), which is taken out again. A
    server that ends itself says why on its log's last line.
    """
    subject, who = value.pop("subject", ""), value.pop("who", "")
    reason = value["reason"]
    if not subject or value["state"] != results.FAILED or "out of memory" in reason:
        return
    log = value.get("log") or "user_logs/std_log.txt"
    lines = log_tail.read_lines(os.path.join(folder, *log.split("/")), _TAIL)
    while lines and not lines[-1].strip():
        lines.pop()
    sentence = _sentence(lines) if is_server and value["exit_code"] else ""
    cause = sentence or _cause(lines, value, who, reason, is_command)
    for part in (value, value.get("cause") or {}):  # the latter is compared with other nodes'
        if part.get("reason") == reason and reason.startswith(subject):  # else a full disk is named
            part["reason"] = _shorten(cause)
        if part.get("tail"):  # by now secrets are masked
            part["tail"] = lines[-log_tail.LINES :]


def _cause(lines: "list[str]", value: "Json", who: str, base: str, is_command: bool) -> str:
    code, signal = value["exit_code"], value["signal"]
    if signal:
        detail = _crash(lines) if signal in _CRASHES else ""
        return "{}: {}".format(base, detail) if detail else base
    found = _exception(lines, _AFTER if code == 1 else _AFTER_OTHER_CODES)
    if found:
        suffix = "" if code == 1 else " (exit code {})".format(code)
        return "{}{}{}".format(who + ": " if who else "", found, suffix)
    if is_command and code > 128:
        base += " ({})".format(processes.signal_name(code - 128))
    last = next((line.strip() for line in reversed(lines) if re.search(r"\w", line)), "")
    if not last:
        return base
    if code == 1 or _LOOKS_LIKE_ERROR.search(last):
        return "{}: {}".format(base, last)
    return "{}; last line: {}".format(base, last)


def _sentence(lines: "list[str]") -> str:
    """The error message on the last line; "" if it is none."""
    match = re.match(r"error: (.*\S)", lines[-1]) if lines else None
    return match.group(1) if match else ""


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _crash(lines: "list[str]") -> str:
    """What a crashed program says about it, if anything."""
    for line in reversed(lines):
        match = _CRASH.match(line)
        if match:
            return match.group(1) or match.group(2)
    last = lines[-1].strip() if lines else ""
    return last if _LOOKS_LIKE_ERROR.search(last) or last == "KeyboardInterrupt" else ""


def _exception(lines: "list[str]", most_after: int) -> str:
    """The last exception that was printed, with its message's first line; "" if there is none.

    At most ``most_after`` lines may follow it: a script that continued did not fail because of it.
    None may follow one that ends no process, such as a thread's.
    """
    main, aside, main_end, aside_end, index = "", "", 0, -1, 0
    beside = 0  # lines of other tracebacks after the main one
    while index < len(lines):
        text, end = _exception_at(lines, index)
        if not text:
            index = end + 1
            continue
        if any(_ASIDE.match(line) for line in lines[max(0, index - 2) : index]):
            aside, aside_end = text, end
            beside += end - index + 2
        elif not main or not text.rpartition(".")[2].startswith(_WORKER_FAILED):
            main, main_end, beside = text, end, 0
        else:
            beside = len(lines)  # of what came after the worker's failure
        index = end + 1
    if main and _count_text(lines[main_end + 1 :]) - beside <= most_after:
        return main
    return "" if _count_text(lines[aside_end + 1 :]) else aside


def _count_text(lines: "list[str]") -> int:
    return sum(bool(line.strip()) for line in lines)


def _exception_at(lines: "list[str]", index: int) -> "tuple[str, int]":
    """(exception, number of its last line) of a traceback that begins at ``index``.

    ("", number of the last line that was read) if none does.
    """
    line = lines[index]
    group = _GROUP.match(line)
    if group:
        return _group_at(lines, index, len(group.group(1)))
    named = re.match(r"^(\w+)\s+Traceback \(most recent call last\)$", line)  # IPython's
    if named:
        for number in range(index + 1, len(lines)):
            if re.match(named.group(1) + r"(:|$)", lines[number]):
                return _with_message(lines, number)
        return "", index
    if not _HEADER.search(line) and not _FRAME.match(line):
        return "", index
    for number in range(index + 1, len(lines)):
        text = lines[number]
        if text.strip() and not text[0].isspace() and text[0] not in _BOX:
            return _with_message(lines, number) if _EXCEPTION.match(text) else ("", number - 1)
    return "", len(lines) - 1


def _with_message(lines: "list[str]", number: int) -> "tuple[str, int]":
    """The exception on line ``number``, and the message on the next line if it begins there."""
    text = lines[number].rstrip()
    if text.endswith(":"):
        for following in range(number + 1, min(number + 4, len(lines))):
            if lines[following].strip():
                return "{} {}".format(text, lines[following].strip()), following
    return text, number


def _group_at(lines: "list[str]", index: int, indent: int) -> "tuple[str, int]":
    """The exception group whose traceback begins at ``index``, with its first member."""
    closing = re.compile(" {%d}[+]-{20,}$" % (indent + 2))
    end = index
    for number in range(index + 1, len(lines)):
        if re.match(r"^\s*[|+]", lines[number]):
            end = number
        if closing.match(lines[number]):
            break
    entries = []
    for line in lines[index : end + 1]:
        entries += re.findall(r"^[ |]*\| (\S.*)$", line)
    entries = [text for text in entries if _EXCEPTION.match(text) and not _HEADER.search(text)]
    if not entries:
        return "", index
    members = [text for text in entries[1:] if "sub-exception" not in text]
    return ": ".join(entries[:1] + members[:1]), end
