"""Export a job as a Kubernetes Job: indexed, with a headless Service, if it has several nodes.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from scriptrun.migration.formats.containers import choose_image, install_script
from scriptrun.migration.formats.facts import (
    ExportedJob,
    data_variable,
    job_name,
    read_packages,
    shell_line,
)
from scriptrun.spec.job import JobSpec
from scriptrun.store import yaml_writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_PORT = 29500
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def manifest(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """The job as YAML for ``kubectl create -f``."""
    packages = read_packages(job, lockfile)
    image, needs_install = choose_image(job, packages.python)
    name, nodes = job_name(job), job.distribution.nodes
    container: Json = {
        "name": "main",
        "image": image,
        "workingDir": "/work",
        "command": [
            "/bin/sh",
            "-c",
            _escape((install_script(packages) if needs_install else "") + _line(job)),
        ],
        "env": _variables(job, name),
        "volumeMounts": [{"name": "source", "mountPath": "/work"}],
    }
    resources = _resources(job)
    if resources:
        container["resources"] = {"requests": resources, "limits": resources}
    pod: Json = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "source", "persistentVolumeClaim": {"claimName": f"{name}-source"}}],
    }
    _add_mounts(job, container, pod)
    spec: Json = {"backoffLimit": 0, "template": {"spec": pod}}
    if job.max_run_duration_seconds is not None:
        spec["activeDeadlineSeconds"] = max(1, round(job.max_run_duration_seconds))
    documents = [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(name, job), "spec": spec}
    ]
    if nodes > 1:
        spec.update(completions=nodes, parallelism=nodes, completionMode="Indexed")
        pod["subdomain"] = name
        documents.insert(0, _service(name))
    lost = _losses(job, name, packages.conda, packages.interpreter)
    text = yaml_writer.dump_all(documents, blocks=True)
    return ExportedJob({f"{name}.yaml": text}, lost)


def _escape(text: str) -> str:
    """Escape ``text`` so that Kubernetes does not expand ``$(NAME)`` in it."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _line(job: JobSpec) -> str:
    line = shell_line(job, "<%s>")
    for item in job.data.items:
        line = line.replace(f"<{data_variable(item.name)}>", f"/data/{item.name}")
    return line


def _variables(job: JobSpec, name: str) -> list[Json]:
    variables: list[Json] = [
        {"name": key, "value": _escape(value)} for key, value in sorted(job.variables.items())
    ]
    for key in job.passed:
        secret = {"secretKeyRef": {"name": f"{name}-passed", "key": key}}
        variables.append({"name": key, "valueFrom": secret})
    if job.distribution.nodes > 1:
        variables += [
            {"name": "MASTER_ADDR", "value": f"{name}-0.{name}"},
            {"name": "MASTER_PORT", "value": str(_PORT)},
            {"name": "WORLD_SIZE", "value": str(job.distribution.nodes)},
        ]
        ranks = ["NODE_RANK"] if job.distribution.processes_per_node > 1 else ["NODE_RANK", "RANK"]
        variables += [
            {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}}
            for variable in ranks
        ]
    return variables


def _resources(job: JobSpec) -> Json:
    resources: Json = {}
    if job.resources.cpus:
        resources["cpu"] = job.resources.cpus
    if job.resources.memory:
        resources["memory"] = f"{job.resources.memory >> 20}Mi"
    if job.resources.gpus:
        resources["nvidia.com/gpu"] = job.resources.gpus
    return resources


def _add_mounts(job: JobSpec, container: Json, pod: Json) -> None:
    for item in job.data.items:
        volume = "data-" + item.name.lower().replace("_", "-")
        path = f"/data/{item.name}"
        container["volumeMounts"].append({"name": volume, "mountPath": path})
        claim = {"claimName": volume}
        pod["volumes"].append({"name": volume, "persistentVolumeClaim": claim})
    shm = job.environment.docker.shm_size
    if shm:
        container["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})
        medium = {"medium": "Memory", "sizeLimit": str(shm).upper().rstrip("B") + "i"}
        pod["volumes"].append({"name": "shm", "emptyDir": medium})


def _metadata(name: str, job: JobSpec) -> Json:
    return {"generateName" if job.distribution.nodes == 1 else "name": _resource_name(name, job)}


def _resource_name(name: str, job: JobSpec) -> str:
    return f"{name}-" if job.distribution.nodes == 1 else name


def _service(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"clusterIP": "None", "selector": {"job-name": name}},
    }


def _losses(job: JobSpec, name: str, conda: list[str], interpreter: str | None) -> list[str]:
    lost = [f"the source directory: put it into the volume claim {name}-source"]
    if job.passed:
        names = ", ".join(job.passed)
        lost.append(f"the values of {names}: put them into the secret {name}-passed")
    for item in job.data.items:
        claim = "data-" + item.name.lower().replace("_", "-")
        lost.append(f"the data {item.name!r} is not delivered: bind the volume claim {claim}")
    if conda:
        lost.append(f"conda packages that PyPI lacks: {', '.join(conda)}")
    if interpreter:
        lost.append(f"the interpreter {interpreter}: the image's Python is used")
    kind, ranks = job.distribution.kind, job.distribution.processes_per_node
    if kind == "tensorflow":
        lost.append("TF_CONFIG: each pod must derive it from NODE_RANK")
    if kind == "mpi" and ranks == 1 and job.distribution.nodes > 1:
        lost.append("mpirun: each pod starts the script directly")
    if kind and ranks > 1:
        lost.append(
            f"{ranks} ranks per node: one process starts; use torchrun or mpirun to start them"
        )
    return lost
