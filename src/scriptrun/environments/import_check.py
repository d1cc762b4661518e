"""Find the imports of a script that its environment lacks, to warn before it runs."""

from __future__ import annotations

import ast
import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator

from scriptrun.environments import site_packages
from scriptrun.environments.builder import ReadyEnvironment
from scriptrun.environments.conda import pypi_names
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec

#: import name to the distributions that provide it, where the names differ
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "Crypto": ("pycryptodome", "pycrypto"),
    "IPython": ("ipython", "jupyter", "ipykernel", "notebook"),
    "OpenSSL": ("pyopenssl",),
    "PIL": ("pillow", "torchvision", "matplotlib", "scikit-image"),
    "absl": ("absl-py", "tensorflow"),
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "dateutil": ("python-dateutil", "pandas", "matplotlib"),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "git": ("gitpython",),
    "google": ("protobuf", "google-cloud-storage"),
    "grpc": ("grpcio",),
    "hydra": ("hydra-core",),
    "imblearn": ("imbalanced-learn",),
    "jwt": ("pyjwt",),
    "lightning_fabric": ("pytorch-lightning", "lightning"),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "mpl_toolkits": ("matplotlib",),
    "msgpack": ("msgpack",),
    "pkg_resources": ("setuptools",),
    "psycopg2": ("psycopg2", "psycopg2-binary"),
    "pydensecrf": ("pydensecrf",),
    "pylab": ("matplotlib",),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "skopt": ("scikit-optimize",),
    "tables": ("tables",),
    "tensorboardX": ("tensorboardx",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly"),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "yaml": ("pyyaml",),
    "zmq": ("pyzmq",),
}

#: import name to the packages that depend on it, so scripts often leave it out
DEPENDENTS: dict[str, tuple[str, ...]] = {
    "numpy": ("pandas", "scipy", "scikit-learn", "tensorflow", "matplotlib", "xgboost", "lightgbm"),
    "scipy": ("scikit-learn", "statsmodels", "xgboost", "lightgbm", "scikit-image"),
    "joblib": ("scikit-learn",),
    "pandas": ("seaborn", "statsmodels", "mlflow", "datasets"),
    "matplotlib": ("seaborn",),
    "six": ("python-dateutil", "pandas"),
    "pytz": ("pandas",),
    "keras": ("tensorflow",),
    "h5py": ("tensorflow", "keras"),
    "requests": ("transformers", "datasets", "mlflow", "mlflow-skinny"),
    "tqdm": ("transformers", "datasets", "spacy", "nltk"),
    "huggingface_hub": ("transformers", "datasets"),
    "torch": ("torchvision", "torchaudio", "pytorch-lightning", "lightning", "accelerate"),
    "yaml": ("transformers", "mlflow", "mlflow-skinny", "pytorch-lightning"),
    "tensorboard": ("tensorflow",),
    "google": ("tensorflow", "tensorboard"),
    "setuptools": ("torch", "tensorflow"),
}

#: modules of older standard libraries, and modules that every job has
_ALWAYS_AVAILABLE = frozenset(
    ["asynchat", "asyncore", "distutils", "imp", "smtpd", "scriptrun", "azureml", "_winreg"]
)


def script_imports(source: bytes) -> set[str]:
    """The top-level modules that ``source`` imports; empty if it is not valid Python 3.

    Skips relative imports, imports inside a ``try`` that catches ImportError, and imports for type
    checkers (``if TYPE_CHECKING``).
    """
    return {name.partition(".")[0] for name in imported_names(source)}


def imported_names(source: bytes, package: str = "") -> list[str]:
    """What ``source``, a module of ``package``, imports: each module, and what may be one of it.

    ``from a import b`` gives ``a`` and ``a.b``. Skips what ``script_imports`` skips; outside of a
    package relative imports too.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names: list[str] = []
    for node in _iter_imports(tree.body):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
            continue
        module = _absolute_module(node, package)
        if module:
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return list(dict.fromkeys(names))


def _absolute_module(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    if node.level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def missing(modules: Iterable[str], environment: ReadyEnvironment | EnvironmentSpec) -> list[str]:
    """The ``modules`` (top-level names) that ``environment`` lacks, sorted.

    An existing environment is searched in its site-packages folders. A request that is not built
    yet is judged by its package names alone, so transitive dependencies may be reported as missing.
    """
    candidates = {name for name in modules if name and not _in_standard_library(name)}
    if not candidates:
        return []
    if isinstance(environment, ReadyEnvironment):
        return sorted(
            name for name in candidates if not _is_installed(name, _search_path(environment.sites))
        )
    if environment.kind == INTERPRETER or _has_unnamed_requirements(environment):
        return []
    request = uv_requirements.from_spec(environment)
    requested = {_distribution_name(line) for line in (*request.lines, *request.brought)}
    requested.update(name.replace("_", "-") for name in map(pypi_names.name_of, environment.conda))
    return sorted(name for name in candidates if not _is_requested(name, requested))


def distributions_for(module: str) -> tuple[str, ...]:
    """The distributions that may provide ``module``, the most likely first."""
    return DISTRIBUTIONS.get(module, (module.lower().replace("_", "-"),))


def _iter_imports(body: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    rest = list(body)
    while rest:  # nesting may be deeper than functions may call each other
        node = rest.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try) and _catches_import_error(node):
            rest += [*node.orelse, *node.finalbody]
            rest += [each for handler in node.handlers for each in handler.body]
        elif isinstance(node, ast.If) and _asks_for_type_checkers(node.test):
            rest += node.orelse
        else:
            rest += ast.iter_child_nodes(node)


def _asks_for_type_checkers(test: ast.AST) -> bool:
    return any("TYPE_CHECKING" in (_name_of(node) or "") for node in ast.walk(test))


def _name_of(node: ast.AST) -> str | None:
    name: str | None = getattr(node, "id", None) or getattr(node, "attr", None)
    return name


def _catches_import_error(node: ast.Try) -> bool:
    """Whether the ``try`` catches a failed import."""
    error_names = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    for handler in node.handlers:
        if handler.type is None:
            return True
        names = {child.id for child in ast.walk(handler.type) if isinstance(child, ast.Name)}
        if names & error_names:
            return True
    return False


def _in_standard_library(name: str) -> bool:
    return name in sys.stdlib_module_names or name in _ALWAYS_AVAILABLE


def _search_path(folders: Iterable[str]) -> list[str]:
    """Site-packages folders, and the folders that their ``.pth`` files add."""
    paths: list[str] = []
    for folder in folders:
        paths.append(folder)
        for pth in glob.glob(os.path.join(glob.escape(folder), "*.pth")):
            paths += [line for line in _lines(pth) if line.startswith(os.sep)]
    return paths


def _is_installed(name: str, folders: Iterable[str]) -> bool:
    return any(_in_folder(name, folder) for folder in folders)


def _in_folder(name: str, folder: str) -> bool:
    for filename in (name, f"{name}.py", f"{name}.pyc"):
        if os.path.exists(os.path.join(folder, filename)):
            return True
    stem = os.path.join(glob.escape(folder), glob.escape(name))
    if glob.glob(f"{stem}.*.so") or glob.glob(f"{stem}.so") or glob.glob(f"{stem}.*.pyd"):
        return True
    finders = glob.glob(os.path.join(glob.escape(folder), "__editable__*.py"))
    return any(f"'{name}'" in line for path in finders for line in _lines(path))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return [line.strip() for line in handle]
    except OSError:
        return []


def _has_unnamed_requirements(spec: EnvironmentSpec) -> bool:
    """Whether the contents are unknown from package names: paths, URLs or a container."""
    return spec.container or any(
        not _distribution_name(line) for line in uv_requirements.from_spec(spec).lines
    )


def _distribution_name(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?=$|[\s\[<>=!~;@])", line)
    return site_packages.normal(match[1]) if match else ""


def _is_requested(module: str, requested: set[str]) -> bool:
    return bool(requested & {*distributions_for(module), *DEPENDENTS.get(module, ())})
