"""Environments that are container images, existing or built.

The lockfile names the base image by its ID and lists the packages. Layers change as rarely as
possible: the base, a virtual environment of its Python, the locked packages. Images never contain
the job's source. The image is in the container tool's own store; the build's folder only holds a
note of it.
"""

from __future__ import annotations

import importlib
import os

from scriptrun.environments.builder import Builder, Lockfile, Log, ReadyEnvironment, Stop
from scriptrun.environments.conda import request as conda_request
from scriptrun.environments.locks import content_key
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.runtime.files import read_object, to_json, write_atomic
from scriptrun.spec.environment import CONDA, IMAGE, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from scriptrun.runtime.hints import Json

#: in the build's folder: the image file for a cluster's nodes, by their container tool
FILES = {"podman": "image.tar", "apptainer": "image.sif", "enroot": "image.sqsh"}
#: in the build's folder: the image's ID and tag, and the tool whose store holds it
NOTE = "image.json"
#: in the image: the prefix of the packages installed on top
VENV = "/opt/scriptrun"


class Image(Builder):
    """An image by name, or from a Dockerfile or build context, with packages on top."""

    kind = IMAGE

    @classmethod
    def check(cls, spec: EnvironmentSpec) -> list[str]:
        """Report invalid packages and build contexts; the engine checks for container support."""
        problems = _problems(spec) if has_packages(spec) else []
        context = spec.docker.build_context
        if context is not None and context.type == "local" and not os.path.isdir(context.path):
            problems.append(f"build context {context.path!r} is not a directory on this machine")
        return problems

    @classmethod
    def resolve(cls, spec: EnvironmentSpec, log: Log, stop: Stop) -> Lockfile:
        """The base by its ID, its contents, and the packages with versions and hashes."""
        lockfile: Lockfile = _load("image.lock").resolve(spec, log, stop)
        return lockfile

    def key(self) -> str:
        """The digest of base, platform and locked packages."""
        return content_key(self.lockfile)

    def build(self, folder: str, log: Log, stop: Stop) -> None:
        """Ensure that the image is in the tool's store, and record its ID."""
        image = _load("image.build").build(
            self.spec, self.lockfile, self.key(), self.registry, log, stop
        )
        tool = container_tool.require()
        note = {"image": image, "tool": tool.path, "kind": tool.kind, "root": tool.root}
        note["kept"] = store_path(tool, image)
        note["tag"] = tag_of(self.key()) if adds_packages(self.lockfile) else ""
        if has_packages(self.spec) or builds_base(self.spec):
            push = _load("image.registry").push
            note["unpushed"] = push(image, self.key(), self.registry, log, stop)
        if self.nodes:
            _load("image.export").carry(self.nodes, image, folder, log, stop)
        write_atomic(os.path.join(folder, NOTE), to_json(note), durable=False)

    @property
    def nodes(self) -> str:
        """The container tool of the cluster's nodes; "" for this machine's tool."""
        return self.spec.docker.nodes

    @classmethod
    def remove_external(cls, folder: str) -> None:
        """Remove the layers built here from the tool's store; pulled images stay."""
        note, tool = read_object(os.path.join(folder, NOTE)) or {}, container_tool.tool()
        tag = note.get("tag")
        if tool is None or tool.kind != note.get("kind"):
            return
        result = (
            container_tool.run(tool, ["rmi", tag]) if tag else container_tool.ToolOutput(0, "", "")
        )
        if result.code and "in use" in result.error:
            raise EnvironmentException(
                f"Image {tag!r} is in use by a container.", "Wait for its run to finish."
            )
        _load("image.removal").remove_layers(tool, folder)

    @classmethod
    def external_size(cls, folder: str) -> int | None:
        """The size of the image in bytes, including its base."""
        note, tool = read_object(os.path.join(folder, NOTE)) or {}, container_tool.require()
        image = str(note.get("image", ""))
        result = container_tool.run(tool, ["image", "inspect", "--format", "{{.Size}}", image])
        return int(result.out) if result.out.strip().isdigit() else None

    def why_unhealthy(self, folder: str) -> str:
        """Whether the image is missing from the store, judged by files alone."""
        note = read_object(os.path.join(folder, NOTE))
        if note is None or not {"kind", "root", "kept"} <= note.keys():
            return "its build was interrupted"
        if self.nodes:
            is_missing = not os.path.exists(os.path.join(folder, FILES[self.nodes]))
            return f"its file {FILES[self.nodes]} is missing" if is_missing else ""
        tool = container_tool.tool()
        if tool is not None and (tool.kind, tool.root) != (note["kind"], note["root"]):
            return f"its image is in another {note['kind']} store ({note['root'] or 'unknown'})"
        stored_path = note["kept"]
        if (
            stored_path
            and os.path.isdir(os.path.dirname(stored_path))
            and not os.path.exists(stored_path)
        ):
            return f"its image is missing from {note['kind']}'s store"
        return ""

    def python(self, folder: str) -> str:
        """The path of the interpreter in the image; "python3" if none was found."""
        return str(self.lockfile.get("interpreter") or "python3")

    def sites(self, folder: str) -> tuple[str, ...]:
        """Empty: this machine cannot look into the image."""
        return ()

    def ready(self, folder: str | None, *, cached: bool, seconds: float) -> ReadyEnvironment:
        """The environment with what the launcher needs to start containers."""
        environment = super().ready(folder, cached=cached, seconds=seconds)
        note: Json = read_object(os.path.join(folder or "", NOTE)) or {}
        if self.nodes:
            file = os.path.join(folder or "", FILES[self.nodes])
            note |= {"kind": self.nodes, "tool": self.nodes, "file": file}
        notes = (*environment.notes, *filter(None, [note.get("unpushed")]))
        return environment.replace(bin="", container=self._container_settings(note), notes=notes)

    def _container_settings(self, note: Json) -> Json:
        docker, tool = self.spec.docker, container_tool.tool()
        rootless = tool.rootless if tool is not None else False
        as_root = rootless or note.get("kind") == "podman"
        return {
            "tool": note.get("tool"),
            "kind": note.get("kind"),
            "rootless": rootless,
            "runtime": tool.runtime if tool is not None else "",
            "image": note.get("image"),
            "file": note.get("file"),
            "named": self.spec.image or self.lockfile.get("named") or note.get("image"),
            "user": "0:0" if as_root else f"{os.getuid()}:{os.getgid()}",
            "python": self.lockfile.get("interpreter"),
            "shell": self.lockfile.get("shell"),
            "mpi": self.lockfile.get("mpi"),
            "mlflow": self.lockfile.get("mlflow"),
            "environ": self.lockfile.get("environ") or {},
            "shm_size": docker.shm_size,
            "arguments": list(docker.arguments),
            "platform": self.lockfile.get("foreign") or "",
        }


def tag_of(key: str) -> str:
    """The tag of the image for ``key`` in the tool's store."""
    return f"localhost/scriptrun-env:{key}"


def _problems(spec: EnvironmentSpec) -> list[str]:
    if spec.docker.packages == CONDA:
        return conda_request.problems(spec)
    return uv_requirements.problems(spec.replace(python=None))


def adds_packages(lockfile: Lockfile) -> bool:
    """Whether the lockfile has packages on top of the base image."""
    return bool(lockfile.get("requirements") or lockfile.get("conda"))


def has_packages(spec: EnvironmentSpec) -> bool:
    """Whether the request has packages on top of the image."""
    return spec.has_packages


def builds_base(spec: EnvironmentSpec) -> bool:
    """Whether the base is built here; a rebuild may then differ, as its steps download files."""
    return spec.docker.builds_image


def store_path(tool: container_tool.Tool, image: str) -> str:
    """The path that exists in podman's store as long as the image does; "" if unknown."""
    if tool.kind != "podman" or not tool.root:
        return ""
    return os.path.join(tool.root, f"{tool.driver}-images", image.removeprefix("sha256:"))


def _load(name: str) -> ModuleType:
    """Import a module that starts the tool; a cached image is found without it."""
    return importlib.import_module(f"scriptrun.environments.{name}")
