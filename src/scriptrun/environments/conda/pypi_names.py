"""Conda packages that are on PyPI, and conda version specifications as PEP 508 requirements.

conda's match specifications: https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
(``=1.16`` is any 1.16, ``==1.16.2`` exactly that, a third part is the build, which PyPI lacks).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from scriptrun.spec.values import Value

#: conda name to PyPI name, where the same package has another name
RENAMED = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "torchvision-cpu": "torchvision",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "tensorflow-base": "tensorflow",
    "keras-gpu": "keras",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "py-xgboost-mutex": "xgboost",
    "xgboost-gpu": "xgboost",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "ray-core": "ray",
    "msgpack-python": "msgpack",
    "pytables": "tables",
    "pyqt": "PyQt5",
    "prompt_toolkit": "prompt-toolkit",
    "gym-base": "gym",
    "spacy-model-en_core_web_sm": "en-core-web-sm",
    "faiss-cpu": "faiss-cpu",
    "faiss": "faiss-cpu",
    "importlib_metadata": "importlib-metadata",
    "ruamel.yaml": "ruamel.yaml",
    "ruamel_yaml": "ruamel.yaml",
    "typing_extensions": "typing-extensions",
    "jupyter_client": "jupyter-client",
    "jupyter_core": "jupyter-core",
    "fbprophet": "fbprophet",
    "python-blosc": "blosc",
    "brotlipy": "brotlipy",
    "pysocks": "PySocks",
    "psycopg2": "psycopg2-binary",
}

#: conda packages whose PyPI name is the same
SAME = frozenset(
    """
    absl-py accelerate aiohttp albumentations altair annoy astropy attrs azure-identity
    azure-storage-blob beautifulsoup4 bokeh boto3 bottleneck catboost certifi cffi chainer
    chardet click cloudpickle cython dask datasets deepspeed dill distributed docker einops
    evaluate fastai fastapi fastparquet filelock fire flake8 flask fsspec future gensim geopandas
    gitpython graphviz grpcio gunicorn gym h5py holoviews httpx huggingface_hub hydra-core hyperopt
    idna imageio imbalanced-learn imgaug inference-schema ipykernel ipython ipywidgets jinja2
    joblib json5 jsonschema jupyter jupyterlab kaggle keras lightgbm lightning lime lxml mako
    markdown markupsafe matplotlib mlflow mlflow-skinny mpi4py mpmath mypy nbconvert nbformat
    networkx nltk notebook numba numexpr numpy omegaconf onnx onnxruntime openpyxl optuna opt_einsum
    packaging pandas papermill paramiko patsy pexpect pillow pip pipenv platformdirs plotly pluggy
    polars portalocker pre-commit progressbar2 prophet protobuf psutil pyarrow pycocotools pycparser
    pydantic pydot pygments pymongo pyodbc pyparsing pytest pytest-cov python-dateutil
    python-dotenv pytorch-lightning pytorch-transformers pytz pywavelets pyyaml pyzmq ray regex
    requests rich s3fs sacrebleu scikit-image scikit-learn scikit-optimize scikit-plot
    scikit-surprise scipy
    seaborn sentencepiece setuptools setuptools-git shap shapely simplejson six sklearn-pandas
    skl2onnx spacy sqlalchemy statsmodels sympy tables tabulate tenacity tensorboard tensorboardx
    tensorflow tensorflow-estimator tensorflow-hub tensorflow-probability termcolor textblob
    threadpoolctl tifffile timm tokenizers toml tomli toolz torchaudio torchmetrics torchtext
    torchvision tornado tqdm traitlets transformers typing-extensions ujson urllib3 virtualenv
    wandb webencodings werkzeug wheel wordcloud wrapt xarray xgboost xlrd xlsxwriter zarr
    zstandard
    """.split()  # noqa: SIM905
)

#: conda packages that PyPI's wheels bundle or the machine provides
BUNDLED = frozenset(
    """
    blas bzip2 ca-certificates cpuonly cuda cuda-runtime cuda-toolkit cudatoolkit cudnn freetype
    intel-openmp libblas libcblas libffi libgcc libgcc-ng libgfortran libgfortran-ng liblapack
    libpng libstdcxx-ng libtiff libuv libxgboost llvm-openmp mkl mkl-include mkl-service mkl_fft
    mkl_random nccl ncurses ninja nomkl openblas openssl pytorch-cuda pytorch-mutex python_abi
    readline sqlite tk xz zlib _libgcc_mutex _openmp_mutex _py-xgboost-mutex
    """.split()  # noqa: SIM905
)

_SPEC = (
    r"(?:[\w./:-]+::)?(?P<name>[A-Za-z0-9_][\w.-]*?)(?:\[(?P<keys>[^\]]*)\])?"
    r"(?P<rest>[\s=<>!~][^\[]*)?(?:\[[^\]]*\])?$"
)
#: the version among a spec's keys: ``numpy[version='>=1.20,<2']``
_VERSION_KEY = r"""\bversion\s*=\s*(?:'([^']*)'|"([^"]*)"|([^,\s]*))"""
_CLAUSE = r"(==|!=|<=|>=|~=|=|<|>)?\s*([\w.*+!-]+)$"
#: packages whose PyPI releases have a fourth version number
_FOURTH_NUMBER = frozenset({"opencv-python-headless"})


class Translation(Value):
    """Conda specs translated for uv; ``unknown`` are not on PyPI, ``problems`` report invalid."""

    python: str | None
    requirements: tuple[str, ...]
    notes: tuple[str, ...]
    unknown: tuple[str, ...]
    problems: tuple[str, ...]


def translate(specs: Iterable[str]) -> Translation:
    """Translate conda specs to PEP 508 requirements where the tables know them; never raises."""
    python: str | None = None
    requirements: list[str] = []
    bundled: list[str] = []
    unknown: list[str] = []
    problems: list[str] = []
    for spec in (spec.strip() for spec in specs):
        match = re.fullmatch(_SPEC, spec)
        name = match["name"].lower() if match else ""
        clauses = _clauses(_version(match) if match else "", pypi_name(name))
        if match is None or clauses is None:
            problems.append(
                f"invalid conda requirement {spec!r}; use e.g. numpy=1.16 or numpy>=1.16,<2"
            )
        elif name == "python":
            python = clauses.replace("==", "").replace(".*", "") or None
        elif name in BUNDLED:
            bundled.append(name)
        elif name in RENAMED or name in SAME:
            requirements.append(pypi_name(name) + clauses)
        else:
            unknown.append(spec)
    return Translation(
        python,
        tuple(requirements),
        tuple(_notes(requirements, bundled)),
        tuple(unknown),
        tuple(problems),
    )


def _version(match: re.Match[str]) -> str:
    key = re.search(_VERSION_KEY, match["keys"] or "")
    return next(filter(None, key.groups()), "") if key else match["rest"] or ""


def pypi_name(name: str) -> str:
    """The name on PyPI of the conda package ``name``."""
    return RENAMED.get(name, name)


def name_of(spec: str) -> str:
    """The package name in a conda spec, in lower case; "" if the spec is invalid."""
    match = re.fullmatch(_SPEC, spec.strip())
    return match["name"].lower() if match else ""


def unknown_packages_problem(unknown: Sequence[str]) -> str:
    """A sentence that names the conda packages that are not on PyPI, and what to do."""
    names = ", ".join(f"'{name}'" for name in unknown)
    kind = "conda packages that are" if len(unknown) > 1 else "a conda package that is"
    return (
        f"the environment requires {kind} not known to be on PyPI: {names}; "
        "list the PyPI equivalent under pip, remove it, "
        "or create the conda environment yourself and give its interpreter's path"
    )


def _clauses(text: str, name: str) -> str | None:
    """conda's version part as a PEP 440 specifier, "" for any; None if it has no equivalent."""
    text = text.strip()
    with_build = re.fullmatch(r"((?:={1,2}\s*)?\d[\w.*+!]*)(?:=|\s+)([\w.*]+)", text)
    if with_build:  # name=version=build, or "name version build"
        text = with_build[1]
    if not text or text.lstrip("= ") == "*":
        return ""
    if "|" in text:
        return None
    parts = [_clause(part.strip(), name) for part in text.split(",")]
    return None if None in parts else ",".join(part for part in parts if part)


def _clause(text: str, name: str) -> str | None:
    match = re.fullmatch(_CLAUSE, text)
    if match is None:
        return None
    operator, version = match[1] or "==", match[2]
    stem = version.rstrip("*").rstrip(".")
    if not re.match(r"\d", stem):
        return "" if version == "*" else None
    fuzzy = (
        operator == "=" or version.endswith("*") or (operator == "==" and name in _FOURTH_NUMBER)
    )
    if fuzzy and operator in ("=", "=="):
        return f"=={stem}.*"
    if fuzzy and operator == "!=":
        return f"!={stem}.*"
    return f"{operator}{stem}"


def _notes(requirements: Sequence[str], bundled: Sequence[str]) -> list[str]:
    notes = []
    if requirements:
        notes.append(f"Installing conda packages from PyPI with uv: {', '.join(requirements)}.")
    if bundled:
        notes.append(f"Skipping conda packages that PyPI wheels include: {', '.join(bundled)}.")
    return notes
