"""A real podman for a worker's tests: its own store, with images of this machine's own files.

With ``SCRIPTRUN_TEST_CONTAINERS=docker`` it is docker, whose daemon is started for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "ci" / "podman"))
import as_user  # noqa: F401 (for tests)
import dockerd
import own

from scriptrun.testing.jobs import until

#: the image with a Python, and the one without
BASE, BARE = own.BASE, own.BARE


@dataclass
class Podman:
    """The program, and where its store lies."""

    program: Path
    root: Path

    def say(self, *words: str) -> str:
        """What podman answers; CalledProcessError where it refuses."""
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        return done.stdout.strip()

    def names(self) -> list[str]:
        """All containers, running or not."""
        return self._listed("{{.Names}}")

    def _listed(self, form: str) -> list[str]:
        """What podman lists: it may fail where a container goes that it has just seen."""
        words = [self.program, "ps", "--all", "--format", form]

        def asked() -> subprocess.CompletedProcess[str] | None:
            nonlocal done
            done = subprocess.run(words, capture_output=True, text=True)
            return None if done.returncode else done

        done = None
        return until(asked, lambda: done and done.stderr).stdout.split()

    def image(self, name: str, dockerfile: str) -> str:
        """Make the image ``name`` of a Dockerfile's text; its id."""
        folder = self.root / "context"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(dockerfile)
        self.say("build", "--quiet", "--tag", name, str(folder))
        return self.say("image", "inspect", "--format", "{{.Id}}", name)

    def clear(self) -> None:
        """Remove every container."""
        patience = [] if self.program.name == "docker" else ["--time", "0"]
        said = ""

        def cleared() -> bool:
            """Again and again: podman fails to remove what has just lost its monitor."""
            nonlocal said
            left = self._listed("{{.ID}}")
            if left:
                words = [self.program, "rm", "--force", *patience, *left]
                said = subprocess.run(words, capture_output=True, text=True).stderr
            return not left

        until(cleared, lambda: f"containers are left: {said}")


def short_path() -> Path:
    """Where a store may be made: at the end of long paths podman waits, a minute or for ever."""
    root = Path(tempfile.mkdtemp(prefix="pod-"))
    root.rmdir()
    return root


def lacking(program: str) -> None:
    """Skip the test, for a program that is not there; where everything is asked for, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI containers must run, and there is no {program}")
    pytest.skip(f"there is no {program}")


@pytest.fixture(scope="session")
def podman_store():
    """One podman a worker."""
    docker = os.environ.get("SCRIPTRUN_TEST_CONTAINERS") == "docker"
    for program in ("docker", "dockerd") if docker else ("podman", "crun", "unshare"):
        if not shutil.which(program):
            lacking(program)
    if os.geteuid() != 0 and not Path("/etc/subuid").read_text().strip():
        pytest.skip("only as root, or as a user with further ids (/etc/subuid)")
    root = short_path()
    there = dockerd if docker else own
    yield Podman(there.bring_up(root), root)
    there.end(root)


@pytest.fixture
def podman(podman_store, monkeypatch):
    """podman as this machine's container tool; nothing of a test's containers is left after it."""
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(podman_store.program))
    yield podman_store
    podman_store.clear()
