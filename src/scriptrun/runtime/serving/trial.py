"""Answer one request and end: how an entry script is tried out without a server."""

import contextlib
import os
import sys
import threading
import traceback

from scriptrun.runtime import files
from scriptrun.runtime.serving import worker
from scriptrun.runtime.serving.http import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from scriptrun.runtime.serving.order import ServiceOrder

#: what is written, in the run's outputs
RESPONSE = "response.json"


def run(order: "ServiceOrder", folder: str) -> int:
    """Call init() and run() once with the text of ``order.test``; returns the exit code.

    The answer is the last line on stdout, and in outputs/response.json. 1 if the script raised, or
    took longer than the service would let it.
    """
    with open(os.path.join(folder, order.test or ""), "rb") as file:
        body = file.read()
    outputs = os.path.join(folder, "outputs")
    try:
        text = "The model did not load within {:g} seconds (start_seconds)."
        with _limit(order.start_seconds, text):
            service = worker.prepare(order, folder)
    except BaseException as problem:
        sys.stderr.write("error: {}\n".format(worker.describe_failure(problem)))
        return 1
    headers = [("content-type", messages.JSON), ("host", "localhost")]
    request = messages.Request("POST", "/score", "", headers, body, "127.0.0.1")
    with _limit(order.timeout_seconds, "run() took longer than {:g} seconds (timeout_seconds)."):
        response = service.score(request)
    os.makedirs(outputs, exist_ok=True)
    files.write_atomic(os.path.join(outputs, RESPONSE), response.body)
    for stream in (sys.stderr, sys.stdout):
        try:
            stream.flush()
        except Exception:
            pass  # the script has closed it
    line = response.body.decode("utf-8", "replace").rstrip("\n") + "\n"
    with open(1, "w", encoding="utf-8", closefd=False) as stdout:
        stdout.write(line)
    return 1 if response.status >= 400 else 0


@contextlib.contextmanager
def _limit(seconds: "Optional[float]", text: str) -> "Iterator[None]":
    """End this process if the block takes longer; the log says where it was."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, _end, (text.format(seconds),))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(sentence: str) -> None:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    where = "".join(traceback.format_stack(frame)[-8:]) if frame is not None else ""
    os.write(2, "{}error: {}\n".format(where, sentence).encode("utf-8", "backslashreplace"))
    os._exit(1)
