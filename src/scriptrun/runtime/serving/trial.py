"""Answer one request and end: how an entry script is tried out without a server."""

import os
import sys

from scriptrun.runtime import files
from scriptrun.runtime.serving import worker
from scriptrun.runtime.serving.http import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.serving.order import ServiceOrder

#: what is written, in the run's outputs
RESPONSE = "response.json"


def run(order: "ServiceOrder", folder: str) -> int:
    """Call init() and run() once with the text of ``order.test``; returns the exit code.

    The answer is the last line on stdout, and in outputs/response.json. 1 if the script raised.
    """
    with open(os.path.join(folder, order.test or ""), "rb") as file:
        body = file.read()
    outputs = os.path.join(folder, "outputs")
    try:
        service = worker.prepare(order, folder)
    except BaseException as problem:
        sys.stderr.write("error: {}\n".format(worker.describe_failure(problem)))
        return 1
    headers = [("content-type", messages.JSON), ("host", "localhost")]
    request = messages.Request("POST", "/score", "", headers, body, "127.0.0.1")
    response = service.score(request)
    os.makedirs(outputs, exist_ok=True)
    files.write_atomic(os.path.join(outputs, RESPONSE), response.body)
    sys.stderr.flush()
    sys.stdout.write(response.body.decode("utf-8", "replace").rstrip("\n") + "\n")
    sys.stdout.flush()
    return 1 if response.status >= 400 else 0
