"""No file, whatever it holds, brings a reader to an error of Python's, or makes it hang.

``./dev fuzz`` tries 10,000 files for each reader (FUZZ_EXAMPLES) and says which seed it took.
"""

from __future__ import annotations

import contextlib
import os
import signal

import mutations
import pytest
from hypothesis import HealthCheck, given, settings
from readers import BESIDE, READERS, RECORDS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
KINDS = [*READERS, *RECORDS]
#: seconds after which a reader counts as one that never ends
PATIENCE = 120


class HangError(BaseException):
    """A reader did not come to an end."""


@contextlib.contextmanager
def ended_in_time():
    def stop(*_):
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def place(reader, folder):
    """The path for the reader's file, beside the files that it names."""
    path = folder / reader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, data in BESIDE.items():
        (path.parent / name).write_bytes(data)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_takes_any_file(kind, tmp_path):
    reader = {**READERS, **RECORDS}[kind]
    path = place(reader, tmp_path)

    @settings(
        max_examples=EXAMPLES,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations.changed(reader.seeds))
    def check(data):
        path.write_bytes(data)
        with ended_in_time(), contextlib.suppress(*reader.errors):
            reader.read(path)

    check()


@pytest.mark.parametrize("kind", [*READERS, *RECORDS])
def test_a_reader_reads_its_seeds(kind, tmp_path):
    reader = {**READERS, **RECORDS}[kind]
    path = place(reader, tmp_path)
    for seed in reader.seeds:
        path.write_bytes(seed)
        reader.read(path)
