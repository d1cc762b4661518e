"""Whether a cluster can take jobs, of what Slurm's commands print; the node's part really runs.

The commands are small programs that print what a cluster's have printed; tests/diagnostics asks a
real one.
"""

from __future__ import annotations

import os
import socket
import sys

import pytest

from scriptrun.engines.slurm import diagnose
from scriptrun.engines.slurm.engine import Slurm


class Site:
    def __init__(self, root, port):
        self._root, self._index = str(root), ("127.0.0.1", str(port))

    def root(self):
        return self._root

    def tool(self):
        return []

    def python(self):
        return sys.executable

    def index(self):
        return self._index


SINFO = """case "$*" in
  --version) echo slurm 23.11.4;;
  *%t*) cat "$WORDS";;
  *) echo main;;
esac"""
#: starts what is behind its own options, here
SRUN = 'while [ "$1" != sh ]; do shift; done; SLURMD_NODENAME=n7 exec "$@"'


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Check a cluster whose commands are as given; the checks by name."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WORDS", str(tmp_path / "words"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def check(words="main*|idle|3|none\n", engine=None, index=port, **programs):
            (tmp_path / "words").write_text(words)
            own = {"sinfo": SINFO, "srun": SRUN, "sbatch": "exit 0", **programs}
            for name, text in own.items():
                (place / name).write_text(f"#!/bin/sh\n{text}\n")
                (place / name).chmod(0o755)
            site = Site(tmp_path / "root", index)
            listed = list(diagnose.checks(engine or Slurm(), site))
            assert len({each.name for each in listed}) == len(listed)
            assert all(each.hint for each in listed if each.verdict == "bad")
            return {each.name: each for each in listed}

        yield check


def test_a_cluster_that_is_well_is_said_to_be(cluster, tmp_path):
    found = cluster()
    del found["options"]  # it asks the real commands of an option, and these know none
    assert {each.verdict for each in found.values()} == {"ok"}
    assert found["shared paths"].said.startswith("n7 ") and "can reach" in found["internet"].said
    assert sys.executable in found["python"].said
    assert os.listdir(tmp_path / "root") == []


def test_where_there_is_no_slurm_nothing_else_is_asked(cluster):
    found = cluster(sinfo="exit 127", srun="echo never; exit 9")
    assert list(found) == ["slurm"] and found["slurm"].verdict == "bad"


def test_a_controller_that_is_away_is_told_apart_from_no_slurm(cluster):
    silent = 'test "$1" = --version && echo slurm 23 || { echo "Unable to contact" >&2; exit 1; }'
    found = cluster(sinfo=silent)
    assert list(found) == ["slurm"] and "Unable to contact" in found["slurm"].said


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        ("main*|idle|3|none\n", "ok", "3 of 3 up"),
        ("main*|mix-|2|none\nmain*|down*|1|a fan\n", "ok", "2 of 3 up; 1 down* (a fan)"),
        ("main*|drain|3|a|b\n", "warning", "0 of 3 up: 3 drain (a|b)"),
        ("main*|idle*|1|none\n", "warning", "0 of 1 up: 1 idle*"),
        ("main*|idle|1|none\nother|down|9|x\nodd line\n\n", "ok", "1 of 1 up"),
    ],
)
def test_nodes_are_counted_by_what_they_take(cluster, words, verdict, said):
    found = cluster(words)["nodes"]
    assert (found.verdict, found.said) == (verdict, said)


def test_where_jobs_are_refused_a_node_does_not_say_so_once_more(cluster):
    refused = cluster(sbatch="echo 'sbatch: error: Invalid account' >&2; exit 1", srun="exit 1")
    assert refused["account"].verdict == "bad" and "Invalid account" in refused["account"].said
    assert "a node" not in refused


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("unrecognized option '--x'", "--extra"),
        ("Requested node configuration is not available", "sinfo -o"),
        ("Invalid account or partition", "sacctmgr"),
    ],
)
def test_what_to_do_follows_from_why_a_job_is_refused(cluster, said, hint):
    found = cluster(sbatch=f'echo "sbatch: error: {said}" >&2; exit 1')["account"]
    assert found.verdict == "bad" and hint in found.hint


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("srun: error: Unable to allocate resources: Requested nodes are busy", "warning"),
        ("srun: error: Immediate execution impossible", "warning"),
        ("srun: error: Task launch failed", "bad"),
    ],
)
def test_a_busy_cluster_is_no_broken_one(cluster, said, verdict):
    found = cluster(srun=f'echo "{said}" >&2; exit 1')
    assert found["a node"].verdict == verdict
    assert "python" not in found


def test_a_node_that_sees_nothing_of_all_is_told_in_each_check(cluster, tmp_path):
    hidden = 'echo "node n1"; echo "sees no"; echo "python 3.7.1"; echo "way no"; echo junk'
    engine = Slurm(own_environments=True)
    found = cluster(srun=hidden, engine=engine)
    assert [found[name].verdict for name in ("shared paths", "python", "internet")] == ["bad"] * 3
    assert "3.7.1" in found["python"].said
    assert cluster(srun=hidden)["internet"].verdict == "ok"
    assert cluster(srun=hidden.replace("python 3.7.1", "nothing"))["python"].verdict == "bad"


def test_an_index_that_cannot_be_reached_is_named(cluster):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    found = cluster(index=closed)["internet"]
    assert "cannot reach 127.0.0.1" in found.said and found.verdict == "ok"


def test_a_root_that_cannot_be_made_is_bad_and_its_file_gone(cluster, tmp_path):
    (tmp_path / "root").write_text("a file")
    found = cluster()
    assert found["root"].verdict == "bad" and found["shared paths"].verdict == "bad"
    assert "--root" in found["root"].hint
