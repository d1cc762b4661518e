"""Every test keeps to its own temporary directory: caches, queues and slots too."""

from __future__ import annotations

import signal

import old_pythons
import pytest
from channels import conda, conda_cache, conda_channel  # noqa: F401 (fixtures)
from clusters import (  # noqa: F401 (fixtures)
    far_cluster,
    login,
    slurm,
    slurm_accounting,
    slurm_cluster,
    slurm_groups,
    slurm_hosts,
    slurm_hosts_cluster,
)
from hypothesis import HealthCheck, settings
from pods import podman, podman_store  # noqa: F401 (fixtures)

from scriptrun.engines.local import engine as local_engine
from scriptrun.registry.settings import keys
from scriptrun.testing.jobs import log_of, until
from scriptrun.testing.scripts import GATED

# how long an example takes says how busy the machine is
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


#: programs as people have them, which journeys run: no tests
collect_ignore = ["old_code"]


def pytest_configure():
    """Let Ctrl-C work: a shell starts its background jobs with it ignored, which all inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    """Say which old Pythons were not tried, for want of them."""
    for sentence in old_pythons.stand_ins():
        terminalreporter.write_line(sentence)


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory, monkeypatch):
    """Point scriptrun's local directories below a fresh temporary directory."""
    root = tmp_path_factory.mktemp("places")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(root / "cache"))
    monkeypatch.setenv("SCRIPTRUN_RUNTIME", str(root / "runtime"))
    monkeypatch.setenv("SCRIPTRUN_SLOTS", str(root / "slots"))
    monkeypatch.setenv("SCRIPTRUN_SETTINGS", str(root / "settings"))
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(root / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", "none")
    overrides = [each.variable for each in keys.SETTINGS.values() if each.variable]
    for name in ("SCRIPTRUN_WORKSPACE", "SCRIPTRUN_NO_CONFIG", *overrides):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture(autouse=True)
def no_forks(monkeypatch):
    """Nothing forks jobs from the suite's own process, which has threads."""
    monkeypatch.setattr(local_engine, "allow_fork", lambda: None)


@pytest.fixture
def gate(tmp_path):
    """The file that a gated run waits for."""
    return tmp_path / "gate"


@pytest.fixture
def gated_run(bench, gate):
    """A run of the module's bench that runs until the gate is there."""
    run = bench.submit(GATED, [gate.as_posix()])
    until(lambda: "began" in log_of(run))
    return run
