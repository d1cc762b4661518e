"""Every module has tests where the mirror says, or stands in a list with the test that covers it.

The mirror: tests of ``scriptrun.a.b`` stand in ``tests/a``; those of ``scriptrun.testing``, the
shipped suites, in ``tests/conformance``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "scriptrun"
#: a package without code of its own holds a docstring and little else
FEW_LINES = 15
FOLDERS = {"testing": "conformance"}

#: tested from another folder, whose test imports it
ELSEWHERE = {
    "__main__": "cli/test_cli_modules.py",
    "cli.migrate": "migration/test_migration_files.py",
    "core.mlflow_runs": "dropin/test_dropin_modules.py",
    "data.stores.web_connection": "faults/test_hostile_http.py",
    "environments.lookup": "faults/test_environment_faults.py",
    "exceptions": "dropin/test_dropin_patterns.py",
    "helpers.job_objects": "runtime/injob/test_injob_helper.py",
    "history.dry_run": "delivery/test_delivery.py",
    "history.reopen": "submission/test_two_threads.py",
    "history.rerun": "delivery/test_delivery.py",
    "preparation.environment_record": "queue/test_queue_start.py",
    "preparation.prepare_run": "submission/test_submission_parts.py",
    "runs.follow": "cli/test_cli_parts.py",
    "runs.status": "conformance/test_toy_engine.py",
    "runtime.conda_prefix": "preparation/test_conda_runs.py",
    "services.old_deployments": "dropin/test_dropin_services.py",
    "spec.tool_python": "dropin/test_other_python.py",
    "store.blobs": "core/test_model.py",
    "store.container_tool": "environments/test_image_parts.py",
    "store.detached": "queue/test_queue.py",
    "store.job_runtime": "runtime/test_fronts.py",
    "submission.batch": "engines/test_slurm_arrays.py",
    "submission.data_binding": "preparation/test_data_bundle.py",
    "sweeps.ranking": "cli/test_cli_sweep_words.py",
    "sweeps.status": "submission/test_submission_parts.py",
    "testing.ranks": "engines/test_local_ranks.py",
    "testing.stores": "data/test_store_suite.py",
}
#: reached by its public names (``from scriptrun import Run``), by the command line, or in a process
#: of its own: a job, a node, a container
NOT_IMPORTED = {
    "cli.service.calls": "journeys/test_journey_serve.py",
    "cli.service.control": "journeys/test_journey_serve.py",
    "cli.service.image_folder": "journeys/test_journey_serve.py",
    "cli.service.serve": "journeys/test_journey_serve.py",
    "cli.service.show": "journeys/test_journey_serve.py",
    "cli.service.trial": "journeys/test_journey_serve.py",
    "runtime.serving.models.lightgbm": "runtime/serving/models/test_real_models.py",
    "runtime.serving.models.mlflow_model": "runtime/serving/models/test_real_models.py",
    "runtime.serving.models.library_types": "runtime/serving/models/test_real_models.py",
    "runtime.serving.models.xgboost": "runtime/serving/models/test_real_models.py",
    "services.metadata": "services/test_webservice.py",
    "services.notices": "services/test_rollout.py",
    "services.service_keys": "services/test_service_keys.py",
    "services.webservice": "services/test_webservice.py",
    "cli.runs.open": "journeys/test_journey_wait_and_open.py",
    "cli.runs.wait": "journeys/test_journey_wait_and_open.py",
    "cli.tidy.prune": "journeys/test_journey_prune.py",
    "cli.options.target_options": "journeys/test_journey_target_options.py",
    "cli.trust": "faults/test_two_users.py",
    "config.environments.conda_dependencies": "config/test_conda_dependencies.py",
    "config.run_configuration": "config/test_runconfig_file.py",
    "config.script_run_config": "config/test_declared.py",
    "core.dataset": "data/test_file_dataset.py",
    "core.datastore": "data/test_stores.py",
    "core.model": "core/test_model.py",
    "data.datasets.tabular": "data/test_tabular_dataset.py",
    "dropin.in_children.azureml": "dropin/test_child_processes.py",
    "dropin.in_children.scriptrun_tool": "dropin/test_other_python.py",
    "dropin.notebook.ipython_shell": "dropin/test_dropin_notebooks.py",
    "dropin.notebook.runner": "dropin/test_dropin_notebooks.py",
    "engines.slurm.diagnose": "diagnostics/test_diagnostics_target.py",
    "migration.code.image_uses": "migration/test_migration_services.py",
    "migration.container_images": "migration/test_migration_services.py",
    "migration.proof.plain_python": "migration/test_proof_decisions.py",
    "migration.proof.services": "migration/test_migration_services.py",
    "runtime.containers.launcher_hooks": "engines/test_in_containers.py",
    "runtime.containers.podman": "engines/test_in_containers.py",
    "runtime.multinode.ports": "engines/test_local_ranks.py",
    "runtime.schedulers.slurm_launch": "conformance/test_slurm_suite.py",
    "spec.accounts": "registry/test_trust.py",
    "submission.remarks": "submission/test_entry_files.py",
    "testing.losses": "conformance/test_engines.py",
}


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("scriptrun.") for name in names if name.startswith("scriptrun.")}


IMPORTS = {path: imports_of(path) for path in sorted(TESTS.rglob("test_*.py"))}


def modules() -> list[str]:
    paths = [path.relative_to(SOURCE) for path in sorted(SOURCE.rglob("*.py"))]
    with_code = [
        path
        for path in paths
        if path.name != "__init__.py"
        or len((SOURCE / path).read_text("utf-8").splitlines()) >= FEW_LINES
    ]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in with_code]
    return [name for name in names if name != "__init__"]


def has_tests_in_its_folder(module: str) -> bool:
    package = module.partition(".")[0]
    folder = TESTS / FOLDERS.get(package, package)
    return any(folder in path.parents and module in names for path, names in IMPORTS.items())


def test_every_module_has_tests():
    untested = {module for module in modules() if not has_tests_in_its_folder(module)}
    missing = sorted(untested - {*ELSEWHERE, *NOT_IMPORTED})
    assert not missing, "add tests in the mirrored folder, or list the test that covers it"
    assert sorted({*ELSEWHERE, *NOT_IMPORTED} - untested) == [], "these need no entry any more"


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_listed_test_imports_what_it_covers(module):
    assert module in IMPORTS[TESTS / ELSEWHERE[module]]


@pytest.mark.parametrize("module", NOT_IMPORTED)
def test_a_listed_test_exists(module):
    assert (TESTS / NOT_IMPORTED[module]).is_file()
