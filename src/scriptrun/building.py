"""Making an environment ready before any run needs it."""

from __future__ import annotations

from collections.abc import Callable

from scriptrun import placing
from scriptrun.config import planning
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.environments import base, ensure
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import refuse
from scriptrun.spec.hints import TYPE_CHECKING

if TYPE_CHECKING:
    from scriptrun.config.environment import Environment
    from scriptrun.home import Home


def spec_of(environment: Environment, interpreter: str | None = None) -> EnvironmentSpec:
    """What a job in ``environment`` would ask for here. Raises RunConfigurationException."""
    config = ScriptRunConfig(".", command="true", environment=environment)
    return placing.placed(planning.describe(config), interpreter)[0]


def build(
    workspace: Home,
    environment: Environment,
    log: Callable[[str], None],
    upgrade: bool = False,
    interpreter: str | None = None,
) -> base.Ready:
    """Lock and build ``environment`` unless that is done; ``log`` gets each line of the work.

    ``upgrade`` resolves it anew and replaces the workspace's lock. Raises EnvironmentException,
    which names the package and the reason.
    """
    spec = spec_of(environment, interpreter)
    refuse(base.check(spec), "This environment cannot be built")
    return ensure.ensure(spec, workspace.locks_folder, log, upgrade=upgrade)
