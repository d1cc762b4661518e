"""What every builder of environments must do: subclass ``BuildingSuite`` and give it requests.

    class TestMine(BuildingSuite):
        @pytest.fixture
        def spec(self): return EnvironmentSpec("mine", pip=("six",))

The builder must be registered in ``scriptrun.environments.builder.BUILDERS`` under its kind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scriptrun.environments.builder import (
    BuildCanceled,
    Builder,
    ReadyEnvironment,
    builder_class,
    check,
    never,
)
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.ensure import ensure, find
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException


def quiet(line: str) -> None:
    """A log that discards its lines."""


class BuilderSuite:
    """The shared cases. Give the fixtures ``spec``, ``other``, ``hopeless``, ``hopeless_word``."""

    @pytest.fixture
    def spec(self) -> EnvironmentSpec:
        """A request that can be met."""
        raise NotImplementedError

    @pytest.fixture
    def other(self) -> EnvironmentSpec:
        """Another request that can be met, with other content."""
        raise NotImplementedError

    @pytest.fixture
    def hopeless(self) -> EnvironmentSpec:
        """A request that can't be met."""
        raise NotImplementedError

    @pytest.fixture
    def hopeless_word(self) -> str:
        """What the message for ``hopeless`` must name."""
        raise NotImplementedError

    @pytest.fixture
    def locks(self, tmp_path: Path) -> Path:
        """The locks folder of a separate workspace; does not exist yet."""
        return tmp_path / "workspace" / "locks"

    @pytest.fixture
    def ready(self, spec: EnvironmentSpec, locks: Path) -> ReadyEnvironment:
        """The request, met."""
        return ensure(spec, locks, quiet)

    def builder(self, spec: EnvironmentSpec, ready: ReadyEnvironment) -> Builder:
        """The builder of the environment ``ready``."""
        return builder_class(spec.kind)(spec, ready.lock)

    def test_a_good_request_is_not_refused(self, spec: EnvironmentSpec) -> None:
        """``check`` finds nothing."""
        assert check(spec) == []

    def test_its_interpreter_runs(self, ready: ReadyEnvironment) -> None:
        """The path is absolute and a Python."""
        assert os.path.isabs(ready.python)
        assert os.path.dirname(ready.python) == ready.bin
        result = subprocess.run(
            [ready.python, "-c", "print(6 * 7)"], capture_output=True, check=True
        )
        assert result.stdout.strip() == b"42"

    def test_it_is_found_again(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment, locks: Path
    ) -> None:
        """What was met once is found without building, and is the same."""
        second = find(spec, locks)
        assert second is not None
        assert second.cached
        assert (second.key, second.python, second.place) == (ready.key, ready.python, ready.place)
        assert second.lock == ready.lock

    def test_its_name_is_not_its_content(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment, locks: Path
    ) -> None:
        """Another name and version of the same content is the same environment."""
        renamed = find(spec.replace(name="renamed", version="7"), locks)
        assert renamed is not None
        assert renamed.key == ready.key

    def test_other_content_has_another_key(
        self, other: EnvironmentSpec, ready: ReadyEnvironment, locks: Path
    ) -> None:
        """Two requests with other content don't share a place."""
        assert ensure(other, locks, quiet).key != ready.key

    def test_its_lock_is_json(self, ready: ReadyEnvironment) -> None:
        """The lock survives being written down, and names kind and platform."""
        assert json.loads(json.dumps(ready.lock)) == ready.lock
        assert {"kind", "platform", "python"} <= ready.lock.keys()

    def test_its_lock_gives_the_same_again(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment, tmp_path: Path
    ) -> None:
        """An earlier run's lock, in a workspace that knows nothing of it, gives the same key."""
        second = ensure(spec, tmp_path / "elsewhere", quiet, lockfile=ready.lock)
        assert second.key == ready.key
        assert not (tmp_path / "elsewhere").exists()

    def test_its_site_directories_are_there(self, ready: ReadyEnvironment) -> None:
        """At least one of the site directories exists."""
        assert any(os.path.isdir(site) for site in ready.sites)

    def test_a_hopeless_request_says_why(
        self, hopeless: EnvironmentSpec, hopeless_word: str, locks: Path
    ) -> None:
        """The message names what could not be had; nothing is left that looks good."""
        with pytest.raises(EnvironmentException) as error:
            ensure(hopeless, locks, quiet)
        assert hopeless_word in str(error.value)
        assert "Traceback" not in str(error.value)
        assert find(hopeless, locks) is None

    def test_looking_after_it_starts_nothing(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment
    ) -> None:
        """A healthy environment stays healthy, however often it is checked."""
        builder = self.builder(spec, ready)
        assert [builder.why_unhealthy(ready.place or "") for _ in range(3)] == ["", "", ""]


class BuildingSuite(BuilderSuite):
    """Further cases, for builders that build a place."""

    def test_a_place_that_lost_its_marker_is_built_again(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment, locks: Path
    ) -> None:
        """Without its marker, an environment is replaced, and the log says so."""
        assert ready.place is not None
        os.unlink(os.path.join(ready.place, cache_folders.MARKER))
        assert find(spec, locks) is None
        log: list[str] = []
        rebuilt = ensure(spec, locks, log.append)
        assert not rebuilt.cached
        assert "because its build was interrupted" in "\n".join(log)
        assert not os.path.exists(ready.place)

    def test_a_gutted_place_is_ill(
        self, spec: EnvironmentSpec, ready: ReadyEnvironment, locks: Path
    ) -> None:
        """An environment whose packages are gone is detected and rebuilt, with a reason."""
        assert ready.place is not None
        for site in ready.sites:
            shutil.rmtree(site)
        assert self.builder(spec, ready).why_unhealthy(ready.place) != ""
        log: list[str] = []
        assert not ensure(spec, locks, log.append).cached
        assert "again, because " in "\n".join(log)

    def test_stop_gives_up(self, spec: EnvironmentSpec, locks: Path) -> None:
        """``stop`` ends the build before anything is created."""
        with pytest.raises(BuildCanceled):
            ensure(spec, locks, quiet, stop=lambda: True)
        assert find(spec, locks) is None
        assert not ensure(spec, locks, quiet, stop=never).cached
