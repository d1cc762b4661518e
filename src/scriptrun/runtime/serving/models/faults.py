"""Which errors of a model's library are the server's own, and not the caller's."""

import _thread
import os
import re
import sys
import time
import traceback

#: what libraries write when the machine fails: no memory, or a GPU that cannot go on
_OWN = re.compile(
    r"CUDA|cuda(Error|runtime)|cuDNN error|CUDNN_STATUS|CUBLAS_STATUS|CUBLAS failure|HIP error|"
    r"device-side assert|out of memory|not enough memory|can't allocate|[Ff]ailed to allocate|"
    r"bad.alloc"
)
#: a GPU process that has seen one of these computes nothing more
_LASTING = re.compile(r"CUDA error|device-side assert|illegal memory access|HIP error")
_EXIT_CODE = 1
#: how long the answer has to leave before the worker ends
_SECONDS = 1.0


def is_own(problem: BaseException) -> bool:
    """Whether the machine failed, such as for lack of memory: the request may be right."""
    return isinstance(problem, MemoryError) or bool(_OWN.search(str(problem)))


def is_lasting(problem: BaseException) -> bool:
    """Whether this process can use its GPU no longer."""
    return bool(_LASTING.search(str(problem)))


def end_if_lasting(problem: BaseException) -> None:
    """End the worker soon after ``problem`` if its GPU is lost; the master replaces it."""
    if not is_lasting(problem):
        return
    sys.stderr.write("error: this worker has lost its GPU and ends; another one replaces it\n")
    sys.stderr.flush()

    def end() -> None:
        time.sleep(_SECONDS)
        os._exit(_EXIT_CODE)

    _thread.start_new_thread(end, ())


def print_cause(problem: BaseException) -> None:
    """Print the traceback of a rejected input, so that the model's author can find its reason."""
    lines = traceback.format_exception(type(problem), problem, problem.__traceback__)
    sys.stderr.write("".join(lines))
    sys.stderr.flush()
