"""An MLflow file store in the run's folder, for what MLflow logs in a job (Python 3.8+).

In MLflow's file store, ``<root>/<experiment>/<run>/metrics/<name>`` has ``time value step`` lines
(https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/). Its artifacts are the
run's own. A variable makes MLflow releases that reject file stores accept this one.
"""

import os
import re
import time

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder


ROOT, EXPERIMENT = "mlflow", "0"
#: bytes; MLflow's own limit is 8,000 characters
_LONGEST_TAG = 32_000


#: where MLflow logs and to which run: those of the process that submitted are not the job's
_OF_THE_SUBMITTER = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
)


def drop_submitters(job: "Json", environ: "dict[str, str]") -> None:
    """Remove MLflow's place and run of the submitting process, unless they were passed by name."""
    for name in _OF_THE_SUBMITTER:
        if name not in (job.get("passed") or ()):
            environ.pop(name, None)


def note(job: "Json", order: "LaunchOrder") -> str:
    """What to say of a tracking server that the submitting process logs to and the job does not."""
    uri = (order.environ or {}).get("MLFLOW_TRACKING_URI") or ""
    known = {*(job.get("passed") or ()), *(job.get("variables") or {})}
    if not uri or "/.scriptrun/" in uri or "MLFLOW_TRACKING_URI" in known:
        return ""
    if not _is_present(order):
        return ""
    return (
        "mlflow logs to this run, not to the MLFLOW_TRACKING_URI of the submitting process; to "
        "pass that to the job, use --env MLFLOW_TRACKING_URI"
    )


def variables(job: "Json", order: "LaunchOrder", environ: "Mapping[str, str]") -> "dict[str, str]":
    """The variables that make MLflow log to this run; empty without MLflow or if a URI is set.

    ``environ`` is the job's environment without them.
    """
    if "MLFLOW_TRACKING_URI" in environ or not _is_present(order):
        return {}
    folder = order.folder
    run = _run_name(job)
    try:
        _create_run(folder, run)
    except OSError:
        return {}  # a full disk: the script runs without them
    return {
        "MLFLOW_TRACKING_URI": _file_uri(os.path.join(folder, ROOT)),
        "MLFLOW_RUN_ID": run,
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }


def read_tags(job: "Json", folder: str) -> "dict[str, str]":
    """The tags that the script gave the run through MLflow, without MLflow's own."""
    tags_folder = os.path.join(folder, ROOT, EXPERIMENT, _run_name(job), "tags")
    tags = {}
    for current, _, names in os.walk(tags_folder):
        for name in names:
            path = os.path.join(current, name)
            tag = os.path.relpath(path, tags_folder).replace(os.sep, "/")
            if not tag.startswith("mlflow."):
                try:
                    with files.open_record(path) as handle:
                        tags[tag] = handle.read(_LONGEST_TAG).decode("utf-8", "replace")
                except OSError:
                    continue  # no tag of MLflow's: a pipe, a dangling link
    return tags


def _run_name(job: "Json") -> str:
    return re.sub(r"[^\w-]", "-", job["id"])


def _is_present(order: "LaunchOrder") -> bool:
    if order.container:
        return bool(order.container.get("mlflow"))
    python = order.python or ""
    prefix = order.prefix or os.path.dirname(os.path.dirname(python))
    return any(
        os.path.lexists(os.path.join(folder, packages, "mlflow"))
        for folder in (_library_folders(prefix, order.inherited) if prefix else ())
        for packages in ("site-packages", "dist-packages")
    )


def _library_folders(prefix: str, environ: "Mapping[str, str]") -> "Iterator[str]":
    """The folders that hold the packages of the interpreter in ``prefix``, as its site has them."""
    settings = _read_settings(os.path.join(prefix, "pyvenv.cfg"))
    prefixes = [prefix]
    if settings.get("include-system-site-packages", "true").lower() == "true":
        prefixes += [os.path.dirname(settings["home"])] if settings.get("home") else []
        prefixes += [os.path.join(each, "local") for each in prefixes]  # Debian's pip
        prefixes.append(os.path.join(environ.get("HOME") or os.sep, ".local"))
    for each in prefixes:
        lib = os.path.join(each, "lib")
        try:
            names = os.listdir(lib)
        except OSError:
            continue
        for name in names:
            if name.startswith("python3"):
                yield os.path.join(lib, name)


def _read_settings(path: str) -> "dict[str, str]":
    """The ``name = value`` lines of a small file; none where there is none."""
    try:
        with files.open_record(path) as handle:
            lines = handle.read(1 << 16).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _create_run(folder: str, run: str) -> None:
    experiment_folder = os.path.join(folder, ROOT, EXPERIMENT)
    run_folder = os.path.join(experiment_folder, run)
    for name in ("metrics", "params", "tags", "artifacts"):  # all four are required
        os.makedirs(os.path.join(run_folder, name), exist_ok=True)
    now = int(time.time() * 1000)
    artifacts = _file_uri(os.path.join(folder, "artifacts"))
    _write(
        os.path.join(experiment_folder, "meta.yaml"),
        ["artifact_location: " + _quote(artifacts), "creation_time: {}".format(now)]
        + ["experiment_id: '{}'".format(EXPERIMENT), "last_update_time: {}".format(now)]
        + ["lifecycle_stage: active", "name: Default"],
    )
    _write(
        os.path.join(run_folder, "meta.yaml"),
        ["artifact_uri: " + _quote(artifacts), "end_time: null", "entry_point_name: ''"]
        + ["experiment_id: '{}'".format(EXPERIMENT), "lifecycle_stage: active"]
        + ["run_id: " + run, "run_name: " + run, "run_uuid: " + run, "source_name: ''"]
        + ["source_type: 4", "source_version: ''", "start_time: {}".format(now), "status: 1"]
        + ["tags: []", "user_id: ''"],
    )


def _write(path: str, lines: "Iterable[str]") -> None:
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))


def _quote(value: str) -> str:
    return "'{}'".format(value.replace("'", "''"))


def _file_uri(path: str) -> str:
    from urllib.parse import quote  # loaded only with MLflow

    return "file://" + quote(path)
