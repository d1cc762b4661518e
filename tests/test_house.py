"""The code keeps its shape: who imports whom, how big things are, what loads when, what runs where."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import old_pythons
import pytest

import scriptrun

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "scriptrun"
FILES = sorted(SOURCE.rglob("*.py"))
RUNTIME = SOURCE / "runtime"

#: runs in the user's script, on the user's Python
ON_PYTHON_36 = [
    path
    for path in FILES
    if RUNTIME in path.parents
    and (
        "injob" in path.relative_to(RUNTIME).parts[0]
        or path.name
        in (
            *("__init__.py", "files.py", "durability.py", "foreign_names.py", "file_walk.py"),
            *("events.py", "identity.py"),
        )
        or "serving" in path.relative_to(RUNTIME).parts[0]
    )
]
ON_PYTHON_38 = [path for path in FILES if RUNTIME in path.parents and path not in ON_PYTHON_36]

#: what anyone may import of the runtime; the rest starts and watches jobs
PURE_RUNTIME = (
    *(
        "files",
        "file_walk",
        "linked_content",
        "linked_limit",
        "foreign_names",
        "durability",
        "events",
        "identity",
        "injob",
        "workdir",
        "results",
        "source_files",
        "launcher.retry",
    ),
    "conda_prefix",
    "containers.podman",
    "disks",
    "log_tail",
    "search_path",
    "serving.order",
    "serving.state",
    "standard_streams",
)
STARTS_JOBS = (
    "scriptrun.engines",
    "scriptrun.queue",
    "scriptrun.store.dependents",
    "scriptrun.store.detached",
    "scriptrun.runtime",
    "scriptrun.services.finish",
    "scriptrun.services.rollout",
    "scriptrun.sweeps",
    "scriptrun.testing",
)

#: never loaded by ``import scriptrun``, ``--help`` or a warm submission
HEAVY = (
    "asyncio",
    "dataclasses",
    "pathspec",
    "psutil",
    "pydantic",
    "rich",
    "rich_argparse",
    "shutil",
    "sqlite3",
    "typer",
    "typing",
    "yaml",
)
#: where the house imports its own modules late, and why
LATE_OF_OURS = {
    "src/scriptrun/runs/find.py": "Run, Experiment and Workspace give each other out",
    "src/scriptrun/core/experiment.py": "Run, Experiment and Workspace give each other out",
    "src/scriptrun/core/run.py": "Run, Experiment and Workspace give each other out",
    "src/scriptrun/core/workspace.py": "Run, Experiment and Workspace give each other out",
    "src/scriptrun/store/snapshots/prune_lease.py": "few submissions meet a garbage collection",
    "src/scriptrun/runs/details.py": "only runs that failed load what these need",
    "src/scriptrun/cli/terminal/attach.py": "only runs that failed load what these need",
    "src/scriptrun/engines/launchers.py": "only jobs of several nodes load what these need",
    "src/scriptrun/engines/local/engine.py": "the launcher is loaded only where a process is forked into",
    "src/scriptrun/runtime/injob/record_calls.py": "only scripts that ask for a short name load the words",
    "src/scriptrun/runtime/launcher/guard.py": "the guard forks before the launcher is loaded",
    "src/scriptrun/runtime/launcher/launcher.py": "only jobs of several ranks load what these need",
    "src/scriptrun/runtime/order.py": "only what an order names is loaded",
    "src/scriptrun/runtime/schedulers/__init__.py": "only what an order names is loaded",
    "src/scriptrun/runtime/serving/entry.py": "its folder must not be searched, and only one part is loaded",
    "src/scriptrun/runtime/ranks/shim.py": "a rank's start must not wait for the package to load",
    "src/scriptrun/runtime/launcher/steps.py": "only jobs in containers, and those that hang, load these",
}
#: of the standard library, what may be imported where it is used: slow to load, or POSIX only
LATE = set(
    "asyncio codecs concurrent ctypes curses dataclasses difflib email fcntl getpass grp hashlib html http importlib inspect "
    "logging msvcrt multiprocessing numbers platform pwd readline resource select shlex shutil site socket sqlite3 "
    "ssl subprocess tarfile tempfile termios textwrap threading tomllib traceback tty urllib uuid winreg zipfile".split()
)
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty", "pty", "readline")


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def child(code: str, *arguments: str, **variables: str) -> str:
    """What a fresh interpreter prints for ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_point_downwards():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each module of ours, and those of ours that it imports (when it is loaded, or later)."""
    import grimp

    graph = grimp.build_graph("scriptrun", cache_dir=None, exclude_type_checking_imports=True)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_import_cycles(imports):
    late = {dotted(ROOT / path) for path, why in LATE_OF_OURS.items() if "give each other" in why}
    at_load = {name: found - late_imports(name) for name, found in imports.items() if name in late}
    try:
        graphlib.TopologicalSorter({**imports, **at_load}).prepare()
    except graphlib.CycleError as problem:
        pytest.fail(" -> ".join(problem.args[1]))


def late_imports(name: str) -> set[str]:
    """What the module ``name`` of ours imports inside functions only."""
    (path,) = [path for path in FILES if dotted(path) == name]
    found = set()
    for _, imported in inner_imports(path):
        found |= {imported, *(dotted(p) for p in FILES if dotted(p).startswith(f"{imported}."))}
    top = ast.parse(path.read_text("utf-8")).body
    return found - {node.module for node in top if isinstance(node, ast.ImportFrom)}


def test_only_engines_and_the_runner_import_what_starts_jobs(imports):
    wrong = [
        f"{importer} imports {imported}"
        for importer, all_imported in imports.items()
        for imported in all_imported
        if imported.startswith("scriptrun.runtime.")
        and not is_pure_runtime(imported)
        and not importer.startswith(STARTS_JOBS)
    ]
    assert not wrong


#: what names a kind of engine or ``ssh`` outside of engines/ and remote/, and means no engine by it
NAMES_NO_ENGINE = {
    "__init__.py": "the public name of the class",
    "cli/options/datastore.py": "the scheme of an address",
    "config/services/deployment.py": "a kind of deployment in the SDK v1",
    "core/datastore.py": "a kind of datastore",
    "data/datastores/classes.py": "a kind of datastore",
    "data/datastores/records.py": "a kind of datastore",
    "migration/proof/stubs.py": "a kind of datastore",
    "runtime/fronts/script_front.py": "the public name of the class",
    "runtime/injob/child_runs.py": "what job.json says of a run without a target",
    "spec/job.py": "what job.json says of a run without a target",
    "store/paths.py": "a folder of Windows",
}


def test_only_engines_and_remote_know_engines_apart():
    """Everything else uses an engine's traits, or ``remote.for_target``."""
    naming = re.compile(
        r"""["'](?:ssh|Local|Slurm)["']|\b(?:getattr|hasattr)\(\w*engine\b"""
        r"""|\.engines\.(?:local|slurm)[.\w]* import (?:.*\b)?(?:Local|Slurm)\b"""
    )
    inside = ("engines", "remote", "testing")
    wrong = [
        f"{path.relative_to(SOURCE)}: {found[0]}"
        for path in FILES
        for found in naming.finditer(path.read_text("utf-8"))
        if path.relative_to(SOURCE).parts[0] not in inside
        and str(path.relative_to(SOURCE)) not in NAMES_NO_ENGINE
    ]
    assert not wrong


#: what says slurm in code, and is none of an engine's or a scheduler's
NAMES_SLURM = {
    "cli/options/target_options.py": "says in its help which options are for Slurm",
    "migration/formats/scripts.py": "writes a job as a script for Slurm",
    "runtime/ranks/mpi.py": "how variables begin that an mpirun would heed",
    "runtime/schedulers/__init__.py": "loads a scheduler by its name",
}


def test_only_engines_and_schedulers_name_slurm():
    """A launcher asks its order's scheduler (``LaunchOrder.load_scheduler``)."""
    inside = ("engines/", "remote/", "testing/", "runtime/schedulers/slurm")
    paths = {str(path.relative_to(SOURCE)): path for path in FILES}
    found = {
        name: [word for word in words_of(path) if "slurm" in word.lower()]
        for name, path in paths.items()
        if not name.startswith(inside)
    }
    wrong = {name: words for name, words in found.items() if words}
    assert not {name: words for name, words in wrong.items() if name not in NAMES_SLURM}
    assert not NAMES_SLURM.keys() - wrong.keys(), "it has gone: so must its line here"


def words_of(path: Path) -> list[str]:
    """The names and texts of a module's code, without its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, *FUNCTIONS)
    texts = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    docstrings = {id(each.value) for each in texts if isinstance(each, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        for field in ("id", "attr", "name", "arg", "module", "asname", "value"):
            value = getattr(node, field, None)
            found += [value] if isinstance(value, str) else []
    return found


#: what stays in modules for the life of the process and is changed by functions, and why no call
#: hides an argument for another one there
MODULE_STATE = {
    "core/uncaught.py: _begun": "the runs that this process has begun, for the exception that ends it",
    "core/uncaught.py: sys.excepthook": "what sees the exception that ends this process",
    "store/dependents.py: _watchers": "the one watcher of each process, which ends what it has tied",
    **dict.fromkeys(
        (
            "engines/slurm/cluster.py: _cached_types",
            "engines/slurm/cluster.py: _mpi_type_cache",
            "engines/slurm/poll.py: _answers",
            "engines/slurm/poll.py: _final_states",
            "remote/client.py: _cached_status",
        ),
        "what a cluster answered, by what was asked: another thread's answer is as good",
    ),
    "tracking/mirror.py: _last_refresh": "when the copy of a run was made last: another thread's is as good",
    "engines/slurm/poll.py: _ended_since": "when the end of a run was seen first, by its folder",
    "environments/conda/worker.py: _clients": "connections of a process of its own, by their logins",
    "environments/conda/client.py: _idle_workers": "idle processes: each is taken out by one thread alone",
    "data/tables/arrow_filesystem.py: _open_handles": "file systems that live, for the end of the process",
    "queue/workers.py: _started": "the last start of each worker, by its lock",
    "store/detached.py: _started": "processes that outlive this one, for its end",
    "services/rollout.py: _submitting": "the runs that threads of this process submit right now",
    "store/secrets/vault.py: _workspace": "of the context: some thirty calls lie between",
    "store/secrets/vault.py: _borrowed": "of the context, as _workspace",
    "store/secrets/vault.py: _offered": "passwords in the user's code, by name, until they are kept "
    "under that name, which is the user's for all workspaces",
    "tracking/masking.py: _masks": "one mask of the logs, by the run's folder",
    "dropin/one_time_notes.py: _said": "notes that are said once a process",
    "testing/table.py: _outcomes": "the table that a test session writes",
    "engines/local/engine.py: _forking": "whether this process has one thread and may fork: said "
    "once, by its main program",
    **dict.fromkeys(
        (
            "runtime/launcher/entry.py: forked",
            "queue/runner.py: scriptrun.runtime.launcher.entry.forked",
            "sweeps/active_runs.py: scriptrun.runtime.launcher.entry.forked",
        ),
        "the children of a process that may fork, and so has one thread",
    ),
    **dict.fromkeys(
        (
            "runtime/launcher/oom.py: _count_at_start",
            "runtime/launcher/supervise.py: _stop_signals",
            "runtime/multinode/ports.py: _markers",
            "runtime/ranks/shim.py: sys.path",
            "runtime/schedulers/slurm_launch.py: os.environ",
        ),
        "the launcher's process is that of one job",
    ),
    "runtime/processes.py: _libc": "the C library, loaded once",
    **dict.fromkeys(
        (
            "runtime/injob/inputs.py: _script_inputs",
            "runtime/injob/proxy_process.py: _started",
            "runtime/injob/record.py: _writers",
            "runtime/injob/run.py: _contexts",
            "runtime/fronts/azureml_front.py: _stand_ins",
        ),
        "the script's process is that of one run: made at the first use, by name or folder",
    ),
    **dict.fromkeys(
        (
            "delivery/helper.py: os.environ",
            "data/mount/server.py: os.environ",
            "helpers/login_node.py: os.environ",
            "queue/runner.py: os.environ",
            "sweeps/driver.py: os.environ",
        ),
        "the variables of a process that was started for this alone",
    ),
    "runtime/serving/worker.py: os.environ": "takes the service's keys from the script, which needs none",
    "core/workspace.py: os.environ": "a default of mlflow's, the same for all",
    "data/mount/fuse_library.py: os.environ": "which library the next import loads, for all",
    "dropin/notebook/ipython_shell.py: os.environ": "how the notebook's plots are drawn",
    "dropin/notebook/runner.py: sys.modules": "the module __main__ of a notebook",
    "dropin/notebook/small_shell.py: os.environ": "%env of a notebook is to do just that",
    "dropin/notebook/small_shell.py: linecache.cache": "the lines of cells, by cell",
    "dropin/notebook/small_shell.py: sys.argv": "what a notebook that is run sees",
    **dict.fromkeys(
        (
            "dropin/exec.py: sys.argv",
            "dropin/exec.py: sys.path",
            "runtime/serving/entry_script.py: os.environ",
            "runtime/serving/entry_script.py: sys.modules",
            "runtime/serving/entry_script.py: sys.path",
            "dropin/child_processes.py: multiprocessing.spawn",
            "dropin/child_processes.py: multiprocessing.spawn.get_command_line",
            "dropin/child_processes.py: os.environ",
            "dropin/in_children/azureml/__init__.py: sys.modules",
            "dropin/in_children/azureml/__init__.py: sys.path",
            "dropin/in_children/scriptrun_tool.py: sys.meta_path",
        ),
        "what the program that is executed in this process sees, and how its children start",
    ),
    "cli/dispatch.py: os.environ": "--no-fsync, for this process and those that it starts",
    **dict.fromkeys(
        (
            "cli/terminal/streams.py: sys.stdout",
            "cli/terminal/streams.py: sys.stderr",
        ),
        "the command line's own process",
    ),
    "delivery/log.py: sys.stderr": "the mount's own process",
    **dict.fromkeys(
        (
            "dropin/finder.py: sys.meta_path",
            "dropin/finder.py: sys.modules",
            "environments/conda/worker.py: sys.modules",
            "environments/conda/worker.py: sys.path",
            "migration/proof/missing_modules.py: sys.meta_path",
            "migration/proof/plain_python.py: sys.meta_path",
            "migration/proof/plain_python.py: sys.modules",
            "runtime/fronts/azureml_front.py: sys.meta_path",
            "runtime/fronts/azureml_front.py: sys.modules",
            "runtime/fronts/script_front.py: sys.modules",
            "runtime/fronts/sitecustomize_front.py: sys.modules",
            "runtime/fronts/sitecustomize_front.py: sys.path",
            "runtime/injob/compat_names.py: sys.meta_path",
            "runtime/injob/compat_names.py: time.__dict__",
        ),
        "what a process can import, and by which old names",
    ),
}
#: methods that change what they are called on
CHANGES = set(
    "add append appendleft clear discard extend insert pop popitem popleft remove reset reverse set "
    "setdefault sort update".split()
)
MODULES = {dotted(path) for path in FILES}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_module_state_but_what_is_listed():
    """What is passed, is passed: no module keeps what one call sets for another."""
    found = {f"{path.relative_to(SOURCE)}: {name}" for path in FILES for name in changed(path)}
    assert not sorted(found - MODULE_STATE.keys()), "pass it on, or list it with the reason"
    assert not sorted(MODULE_STATE.keys() - found), "it has gone: so must its line here"


def test_module_state_is_seen(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import sys\nfrom os import environ\nfrom scriptrun.engines import base\nKEPT, kept, here = {}, [], []\ncount = 0\n"
        "mine: set[str] = set()\n"
        "def one(here, name):\n    here.append(1)\n    kept.pop()\n    KEPT[name] = 1\n"
        "class Two:\n    def three(self):\n        def four():\n            global count\n"
        "            count += 1\n            one.seen = mine.add(2)\n"
        "        base.glances.append(3)\n        sys.argv = []\n        environ['A'] = 'b'\n"
    )
    assert set(changed(path)) == {
        *("KEPT", "kept", "count", "mine", "one"),
        *("scriptrun.engines.base.glances", "sys.argv", "os.environ"),
    }


def changed(path: Path):
    """What functions of a module change: names of its own, and ``module.name`` of others."""
    tree = ast.parse(path.read_text("utf-8"))
    own, modules = set(names_of(tree.body)), imported(tree)
    for function in outermost(tree.body):
        found = {pair for node in changed_in(function) for pair in shared(node, own, modules)}
        hidden = set(locals_of(function)) if found else ()
        yield from (name for variable, name in found if variable not in hidden)


def shared(node, own: set[str], modules: dict[str, str]):
    """The variable by which ``node`` is reached, and its name, where it is a module's."""
    if is_name(node) and node.id in own:
        yield node.id, node.id
    elif is_name(node) and modules.get(node.id, "") not in MODULES:
        if is_module(modules.get(node.id, "").rpartition(".")[0]):
            yield node.id, modules[node.id]
    elif isinstance(node, ast.Attribute) and is_name(node.value):
        module = modules.get(node.value.id, "")
        if is_module(module):
            yield node.value.id, f"{module}.{node.attr}"


def is_module(name: str) -> bool:
    return name in MODULES or name.partition(".")[0] in sys.stdlib_module_names


def names_of(statements):
    """The names that a module gives at its own level to values and functions."""
    for node in statements:
        if isinstance(node, FUNCTIONS):
            yield node.name
        for target in (*getattr(node, "targets", ()), getattr(node, "target", None)):
            yield from (each.id for each in ast.walk(target or ast.Pass()) if is_name(each))
        if isinstance(node, ast.If | ast.Try):
            yield from names_of([*node.body, *node.orelse])


def is_name(node) -> bool:
    return isinstance(node, ast.Name)


def imported(tree) -> dict[str, str]:
    """The modules that names stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.asname or each.name: each.name for each in node.names}
    return found


def outermost(statements):
    """The functions that stand in no other one."""
    for node in statements:
        if isinstance(node, FUNCTIONS):
            yield node
        elif hasattr(node, "body"):
            yield from outermost([*node.body, *getattr(node, "orelse", ())])


def locals_of(function):
    """The names that belong to the function or those within it."""
    outer = {
        name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names
    }
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif is_name(node) and isinstance(node.ctx, ast.Store) and node.id not in outer:
            yield node.id


def changed_in(function):
    """What is changed: by ``global``, an item, an attribute, or a method that does so."""
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from (ast.Name(name) for name in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in CHANGES:
                yield node.func.value
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield node.value
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node
            yield node.value


def is_pure_runtime(name: str) -> bool:
    """Whether a module below ``scriptrun.runtime`` is one that anyone may import."""
    return f"{name}.".startswith(tuple(f"scriptrun.runtime.{pure}." for pure in PURE_RUNTIME))


def test_packages_are_small():
    """A reader can take in so many modules at once."""
    sizes = Counter(path.parent for path in FILES)
    assert not {str(path): size for path, size in sizes.items() if size > 22}


#: nouns of the field that end so
NOUNS = set(
    "data_binding dict_building distributed_training early_stopping existing listing masking "
    "provisioning ranking sampling staging web_listing".split()
)


def test_modules_are_not_named_by_what_they_are_doing():
    """``submission`` is looked for, ``submitting`` is not guessed."""
    assert not [str(path) for path in FILES if path.stem.endswith("ing") and path.stem not in NOUNS]


def test_sizes():
    wrong = []
    for path in FILES:
        text = path.read_text("utf-8")
        if text.count("\n") > 500:
            wrong.append(f"{dotted(path)} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                if length > 50:
                    wrong.append(f"{dotted(path)}.{node.name} has {length} lines")
    assert not wrong


def inner_imports(path: Path):
    """(line, module) of each import inside a function."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, "." * node.level + (node.module or "")


def test_imports_stand_at_the_top_but_for_heavy_libraries():
    wrong = set()
    for path in FILES:
        for line, name in inner_imports(path):
            top = name.split(".")[0]
            ours = top in ("", "scriptrun")
            if ours and str(path.relative_to(ROOT)) in LATE_OF_OURS:
                continue
            if ours or (top in sys.stdlib_module_names and top not in LATE):
                wrong.add(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong


def test_runtime_imports_nothing_above_it_and_nothing_installed():
    wrong = []
    for path in ON_PYTHON_36 + ON_PYTHON_38:
        for node in ast.parse(path.read_text("utf-8")).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            wrong += [
                f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
                for name in names
                if name.split(".")[0] not in sys.stdlib_module_names
                and not name.startswith("scriptrun.runtime")
            ]
    assert not wrong


@pytest.mark.parametrize(
    ("version", "files"), [((3, 6), ON_PYTHON_36), ((3, 8), ON_PYTHON_38)], ids=["3.6", "3.8"]
)
def test_runtime_keeps_to_old_syntax(version, files):
    """``ast`` knows most of a version's grammar; the rest is named here."""
    for path in files:
        tree = ast.parse(path.read_text("utf-8"), str(path), feature_version=version)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "__future__"
                and version < (3, 7)
            ):
                assert "annotations" not in [alias.name for alias in node.names], path


@pytest.mark.parametrize(
    ("version", "files"), [("3.6", ON_PYTHON_36), ("3.8", ON_PYTHON_38)], ids=["3.6", "3.8"]
)
def test_runtime_compiles_on_the_old_python_itself(version, files):
    python = old_pythons.oldest(version)
    code = "import sys\nfor p in sys.argv[1:]: compile(open(p, encoding='utf-8').read(), p, 'exec')"
    done = subprocess.run([python, "-c", code, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


WINDOWS = """
import importlib, json, os, signal, sys

blocked, modules = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name in "fork forkpty getuid geteuid getgid killpg setsid getpgid mkfifo".split():
    if hasattr(os, name): delattr(os, name)
for name in "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK".split():
    if hasattr(os, name): delattr(os, name)
for name in "SIGKILL SIGHUP SIGALRM SIGCHLD SIGUSR1 SIGPIPE".split():
    if hasattr(signal, name): delattr(signal, name)
for name in blocked:
    sys.modules[name] = None
wrong = []
for name in modules:
    try:
        importlib.import_module(name)
    except Exception as problem:
        wrong.append("{}: {!r}".format(name, problem))
print(json.dumps(wrong))
"""


def test_what_only_describes_imports_without_posix():
    """As on Windows: no POSIX-only module, no fork, none of the POSIX-only signals and flags."""
    elsewhere = ("scriptrun.engines.local", "scriptrun.testing", "scriptrun.__main__")
    modules = [
        dotted(path)
        for path in FILES
        if not dotted(path).startswith(elsewhere)
        and (RUNTIME not in path.parents or is_pure_runtime(dotted(path)))
    ]
    modules = [name for name in modules if not is_posix_engine(name)]
    wrong = json.loads(child(WINDOWS, json.dumps(POSIX_ONLY), json.dumps(modules)))
    assert not wrong


def is_posix_engine(name: str) -> bool:
    """Engines that start processes here need POSIX; what describes them does not."""
    return name.startswith("scriptrun.engines.") and name.split(".")[2] not in ("base", "targets")


@pytest.mark.parametrize("statement", ["import scriptrun", "from scriptrun.cli import main"])
def test_the_front_door_loads_nothing_heavy(statement):
    loaded = set(
        json.loads(child(f"{statement}\nimport json, sys; print(json.dumps(list(sys.modules)))"))
    )
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_asking_for_help_loads_nothing_heavy(word, tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from scriptrun.cli import main; main()", word],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    loaded = set(re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE))
    assert "scriptrun.cli" in loaded, done.stderr
    assert not loaded & set(HEAVY)


SUBMISSION = """
import json, sys
from scriptrun import Experiment, ScriptRunConfig, Workspace

workspace = Workspace.create("warm", path=".", exist_ok=True)
config = ScriptRunConfig(source_directory="source", script="train.py", compute_target="local")
run = Experiment(workspace, "warm").submit(config)
loaded = list(sys.modules)
run.wait_for_completion()
print(json.dumps(loaded))
"""


def test_a_warm_submission_loads_nothing_heavy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "train.py").write_text("print('done')\n")
    time.sleep(0.1)  # what was written in this moment is read again: it could change unseen
    child(SUBMISSION)
    loaded = json.loads(child(SUBMISSION).splitlines()[-1])
    assert "scriptrun.submission.submit" in loaded
    assert not set(loaded) & set(HEAVY)
    assert not [name for name in loaded if name.startswith("scriptrun.sweeps.")]


def test_each_type_ignore_has_its_error_and_a_reason():
    wrong = []
    for path in FILES:
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines):
            if "# type: ignore" in line:
                code = re.search(r"# type: ignore\[[\w-]+\](.*)", line)
                above = lines[number - 1].strip().startswith("#")
                if not code or not ("#" in code[1].replace("# noqa", "") or above):
                    wrong.append(f"{path.relative_to(ROOT)}:{number + 1}")
    assert not wrong


def test_every_public_name_is_there():
    code = "import scriptrun\nfor name in scriptrun.__all__: getattr(scriptrun, name)"
    child(code)


def test_type_checkers_see_every_public_name():
    tree = ast.parse((SOURCE / "__init__.py").read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {
        alias.asname: f"{node.module}.{alias.name}" if alias.name == "exceptions" else node.module
        for node in imports
        for alias in node.names
        if alias.asname == alias.name
    }
    assert homes == scriptrun._HOMES


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("only on a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_names_a_registry_host_or_this_machine():
    """An index is configured where the project is used; the project itself is bound to none."""
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian", "org")]
    words = [".".join(host) for host in hosts] + ["".join(("/", "work/")), "".join(("/", "root/"))]
    wrong = [
        f"{path.relative_to(ROOT)} names {word}"
        for path in tracked()
        for word in words
        if word.encode() in path.read_bytes()
    ]
    assert not wrong
