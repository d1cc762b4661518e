"""The texts of a package: Dockerfile, README and requirements; and building its image."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from scriptrun.config.environments.environment import Environment
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.core.workspace import Workspace
from scriptrun.preparation import build as build_environment
from scriptrun.spec.environment import INTERPRETER, EnvironmentSpec
from scriptrun.spec.errors import WebserviceException
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.services.prepare import PreparedService

_DOCKERFILE = """\
# Serves {title} on port {port}. Build it in this folder; see README.md.
FROM {base}
{setup}ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONPATH=/service/server SCRIPTRUN_RUN_FOLDER=/service
{variables}COPY . /service
RUN chmod -R a+rX /service && chmod a+rwx /service
{steps}WORKDIR /service/source
EXPOSE {port}
USER 10001
CMD ["{python}", "/service/server/scriptrun/runtime/serving/entry.py"]
"""
_INSTALL = """\
COPY requirements.txt /tmp/requirements.txt
RUN {python} -m pip install --no-cache-dir -r /tmp/requirements.txt
"""
_README = """\
# {title}

An image that serves {title} on port {port}.

    docker build -t {location} .
    docker run --rm -p 127.0.0.1:{port}:{port} {location}

Then post requests:

    curl --json @sample.json http://127.0.0.1:{port}/score

With podman, write podman for docker. To accept only callers that send a key, set "auth" in
service.json to "key", and run the image with -e SCRIPTRUN_SERVICE_KEYS=KEY; callers send the header
`Authorization: Bearer KEY`.

service.json holds the settings, azureml-models the models, source the entry script, server the
server, requirements.txt the packages. The environment variables are in the Dockerfile, in plain
text.
"""
#: packages that a service does not need
_OWN = ("scriptrun",)


def image_name(name: str) -> str:
    """``name`` as the name of an image."""
    return re.sub(r"[^a-z0-9._/-]+", "-", name.lower()).strip("-._/") or "service"


def texts(
    workspace: Workspace,
    prepared: PreparedService,
    inference: InferenceConfig,
    location: str,
    port: int,
) -> dict[str, str]:
    """The package's text files by name."""
    version, lines = _requirements(workspace, prepared)
    names = ", ".join(f"{model.name}:{model.version}" for model in prepared.models)
    own_image = inference.base_image or _own_image(prepared.environment)
    values = {
        "title": names or str(prepared.order["entry_script"]),
        "location": location,
        "port": port,
        "base": own_image or f"python:{version}-slim",
        "python": "python",
        "steps": _extra_steps(inference),
        "variables": _variables(prepared.job.variables),
    }
    values["setup"] = _INSTALL.format(**values) if lines else ""
    return {
        "Dockerfile": _DOCKERFILE.format(**values),
        "README.md": _README.format(**values),
        "requirements.txt": "".join(f"{line}\n" for line in lines),
    }


def _own_image(environment: Environment | None) -> str | None:
    """The image that the environment names, but for Azure's own."""
    image = None if environment is None else environment.docker.base_image
    return image if image and "azureml" not in image else None


def _variables(variables: Mapping[str, str]) -> str:
    """The job's variables for the Dockerfile, where everybody can read them."""
    return "".join(f"ENV {name}={_quoted(value)}\n" for name, value in sorted(variables.items()))


def _quoted(value: str) -> str:
    escaped = re.sub(r'(["\\$])', r"\\\1", value).replace("\n", "\\n")
    return f'"{escaped}"'


def _extra_steps(inference: InferenceConfig) -> str:
    if inference.extra_docker_file_steps is None:
        return ""
    folder = inference.source_directory or "."
    path = Path(folder, inference.extra_docker_file_steps)
    if not path.exists():
        path = Path(inference.extra_docker_file_steps)
    return path.read_text(encoding="utf-8").rstrip("\n") + "\n"


def _requirements(workspace: Workspace, prepared: PreparedService) -> tuple[str, list[str]]:
    """The version of Python ("3.11"), and requirement lines: locked ones as far as there are any.

    An environment that was never locked is not resolved here: its own requirements are taken.
    """
    spec = prepared.job.environment
    lock = build_environment.plan(workspace, spec).lock or {}
    version = str(lock.get("version") or lock.get("python") or spec.python or "")
    found = re.match(r"\d+\.\d+", version)
    return (found[0] if found else _own_version()), _lines(spec, lock)


def _own_version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _lines(spec: EnvironmentSpec, lock: Json) -> list[str]:
    if spec.kind == INTERPRETER:
        lines = [str(line) for line in lock.get("distributions") or ()]
    else:
        pinned = re.sub(r" \\\n\s*--hash=\S+", "", str(lock.get("requirements") or ""))
        lines = pinned.splitlines() or [*spec.pip_options, *spec.pip]
        lines += _of_conda(spec, lock)
    return [line for line in lines if not _is_left_out(line)]


def _of_conda(spec: EnvironmentSpec, lock: Json) -> list[str]:
    """Packages of conda, as a note: pip has other names for some of them."""
    packages = [f"{each['name']}={each['version']}" for each in lock.get("conda") or ()]
    return [f"# conda: {name}" for name in packages or spec.conda]


def _is_left_out(line: str) -> bool:
    name = re.split(r"[=<>!~\[ ;@]", line, maxsplit=1)[0].lower()
    is_local = "file:" in line or line.startswith(("-e", "/", "."))
    return name in _OWN or is_local or name in ("pip", "setuptools", "wheel")


def build(workspace: Workspace, save: Callable[[str], None], location: str) -> None:
    """Build the image ``location`` from what ``save`` writes into a folder.

    Raises WebserviceException, with the end of the tool's output, if that fails.
    """
    tool = container_tool.require()
    with tempfile.TemporaryDirectory(prefix="scriptrun-package-") as folder:
        target = os.path.join(folder, "package")
        save(target)
        done = container_tool.run(tool, ["build", "-t", location, target], timeout=None)
    if done.code:
        tail = "\n".join((done.error or done.out).splitlines()[-15:])
        raise WebserviceException(
            f"{tool.kind} cannot build the image {json.dumps(location)}:\n{tail}",
            hint="Save the folder with save(), and build it yourself.",
        )
