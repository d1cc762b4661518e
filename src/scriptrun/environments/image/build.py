"""Install locked packages on top of an image, in layers that change as rarely as possible.

Two steps run in containers of the base, and each becomes a layer: a virtual environment of the
image's own Python (which sees the image's packages), and the packages, by ``uv pip sync``. This
machine's uv and its cache are mounted, and neither leaves a trace in the image.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from scriptrun.environments.builder import Lock, Log, Registry, Stop
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image import git as image_git
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import VENV, is_made, is_packed, tag_of
from scriptrun.environments.uv import compat_names, index_credentials
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

#: where uv, its cache and the requirements are mounted while packages are installed
_HANDS = "/run/scriptrun"


def build(
    spec: EnvironmentSpec, lock: Lock, key: str, registry: Registry, log: Log, stop: Stop
) -> str:
    """The ID of the image that ``lock`` describes; existing layers are reused."""
    packed = is_packed(lock)
    made_here = packed or is_made(spec)
    tag = tag_of(key)
    there = image_registry.id_of(tag if packed else lock["base"])
    there = there or (image_registry.fetch(key, tag, registry, log, stop) if made_here else "")
    if there:
        return there
    base = _base(spec, lock, log, stop)
    if not packed:
        return base
    if lock.get("conda"):
        return _with_conda(spec, lock, base, tag, log, stop)
    venv = _with_venv(base, lock, log, stop)
    return _layer(venv, tag, ["pip", "sync", *_flags(spec, lock)], lock, spec, log, stop)


def _base(spec: EnvironmentSpec, lock: Lock, log: Log, stop: Stop) -> str:
    """The base image in the lockfile; one that was built here may be rebuilt."""
    if image_registry.id_of(lock["base"]):
        return str(lock["base"])
    base = image_base.get(spec, log, stop)
    if base != lock["base"] and not is_made(spec):
        raise EnvironmentException(
            f"Image {lock['named']!r} has changed, and the version in the lockfile is "
            "no longer available.",
            "To lock the environment again, run: scriptrun env build --upgrade",
        )
    if base != lock["base"]:
        log(f"Rebuilt image {lock['named']}: {base[:12]}.")
    return base


def _with_venv(base: str, lock: Lock, log: Log, stop: Stop) -> str:
    python = lock["base_interpreter"]
    tag = venv_tag(base, python)
    there = image_registry.id_of(tag)
    if there:
        return there
    words = ["venv", "--system-site-packages", "--python", python, "--no-project", VENV]
    return _layer(base, tag, words, lock, None, log, stop)


def venv_tag(base: str, python: str) -> str:
    """The tag of the layer with a virtual environment of ``python`` on the image ``base``."""
    return f"localhost/scriptrun-python:{digest_of([base, python])[:32]}"


def _with_conda(
    spec: EnvironmentSpec, lock: Lock, base: str, tag: str, log: Log, stop: Stop
) -> str:
    """Add the conda packages as one layer, and the pip packages as the next."""
    if not lock["requirements"]:
        return _conda_layer(spec, lock, base, tag, log, stop)
    own = image_conda.tag(lock, base)
    prefix = image_registry.id_of(own) or _conda_layer(spec, lock, base, own, log, stop)
    words = ["pip", "install", "--no-deps", "--break-system-packages", *_flags(spec, lock)]
    words[-1:] = ["-r", words[-1]]
    return _layer(prefix, tag, words, lock, spec, log, stop)


def _conda_layer(
    spec: EnvironmentSpec, lock: Lock, base: str, tag: str, log: Log, stop: Stop
) -> str:
    name = f"scriptrun-build-{tag.rpartition(':')[2]}"
    _remove(name)
    try:
        variables, has_scripts = image_conda.fill(spec, lock, base, name, log, stop)
        if not lock["requirements"]:
            _add_old_names(name, lock, log, stop)
        made = _keep(name, tag, base, log, stop, {"CONDA_PREFIX": VENV, **variables})
        more = image_conda.activated(made) if has_scripts else {}
        return _keep(name, tag, made, log, stop, {"CONDA_PREFIX": VENV, **more}) if more else made
    finally:
        _remove(name)


def _add_old_names(name: str, lock: Lock, log: Log, stop: Stop) -> None:
    """Add the names that old scripts use, if pins were relaxed."""
    if not lock.get("relaxed"):
        return
    minor = ".".join(str(lock["python"]).split(".")[:2])
    with tempfile.TemporaryDirectory(prefix="scriptrun-build-") as folder:
        compat_names.put(folder)
        words = ["cp", f"{folder}/.", f"{name}:{VENV}/lib/python{minor}/site-packages"]
        image_tool.run(words, f"Adding compatibility names to {lock['named']}", log, stop)


def _flags(spec: EnvironmentSpec, lock: Lock) -> list[str]:
    text = lock["requirements"]
    hashed = uv_requirements.all_hashed(text)
    _, flags = uv_requirements.of(spec).for_sync()
    return [
        *("--python", f"{VENV}/bin/python"),
        *(["--require-hashes"] if hashed else []),
        *flags,
        f"{_HANDS}/requirements.txt",
    ]


def _layer(
    base: str,
    tag: str,
    words: list[str],
    lock: Lock,
    spec: EnvironmentSpec | None,
    log: Log,
    stop: Stop,
) -> str:
    """Run uv with ``words`` in a container of ``base``, and commit its changes as ``tag``."""
    name = f"scriptrun-build-{tag.rpartition(':')[2]}"
    _remove(name)
    with (
        tempfile.TemporaryDirectory(prefix="scriptrun-build-", dir=_memory()) as folder,
        tempfile.TemporaryDirectory(prefix="scriptrun-git-", ignore_cleanup_errors=True) as cloned,
    ):
        program, mounts = _uv()
        told, lines = index_credentials.as_lines(_told(words))
        text, private = _requirements(spec, lock, lines) if spec else ("", {})
        text, trees = image_git.fetched(text, private, cloned, f"{_HANDS}/git", log, stop)
        here = _paths([*told.values(), *text.splitlines()])
        mounts |= {each: f"{_HANDS}/here{each}" for each in here}
        path = os.path.join(folder, "requirements.txt")
        write_atomic(path, _moved(text, here).encode(), 0o600)
        mounts[path] = f"{_HANDS}/requirements.txt"
        try:
            image_tool.run(
                [*_start(name, mounts, told, trees), base, *program, *words],
                f"Installing the packages into image {lock['named']}",
                log,
                stop,
                environ={key: _moved(value, here) for key, value in told.items()},
                told=index_credentials.told(private),
            )
            if spec:
                _add_old_names(name, lock, log, stop)
            told = {"CONDA_PREFIX" if lock.get("conda") else "VIRTUAL_ENV": VENV}
            return _keep(name, tag, base, log, stop, told)
        finally:
            _remove(name)


def _requirements(
    spec: EnvironmentSpec, lock: Lock, lines: list[str]
) -> tuple[str, dict[str, str]]:
    """The requirements with secrets filled in (variables would stay in the image), and those."""
    options, _ = uv_requirements.of(spec).for_sync()
    if any(option.startswith(("--index-url", "-i ", "--no-index")) for option in options):
        lines = [line for line in lines if not line.startswith("--index-url")]
    text, private = index_credentials.filled("\n".join([*options, *lines, lock["requirements"]]))
    return index_credentials.expanded(text, private), private


def _memory() -> str | None:
    """A folder in memory, for secrets that must not be on disk; None if there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _start(
    name: str, mounts: dict[str, str], told: dict[str, str], trees: dict[str, str]
) -> list[str]:
    """The command line up to the image; the mounts leave at most one empty folder in it.

    Only ``trees`` are mounted writable.
    """
    line = ["run", "--name", name, "--pull=never", "--network=host", "--user", "0:0"]
    line += ["--label", f"{container_tool.BUILDER}={os.getpid()}"]
    line += ["--security-opt", "label=disable", "--workdir", "/", "--entrypoint", ""]
    line += ["--tmpfs", _HANDS, "--volume", f"{_cache()}:{_HANDS}/cache"]
    for source, target in mounts.items():
        line += ["--volume", f"{source}:{target}:ro"]
    for source, target in trees.items():
        line += ["--volume", f"{source}:{target}"]
    return [*line, *(word for each in told for word in ("--env", each)), "--env", "HOME=/tmp"]


def _told(words: list[str]) -> dict[str, str]:
    """uv's variables in the container: indexes, certificates and the like, and its cache folder.

    Their values may hold credentials, so they are on no command line and in no image.
    """
    found = uv_tool.variables(words)
    kept = {name: value for name, value in found.items() if name.startswith(("UV_", "SSL_CERT_"))}
    for name in ("UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_TOOL_DIR", "UV_CONFIG_FILE"):
        kept.pop(name, None)
    return {
        **kept,
        "UV_CACHE_DIR": f"{_HANDS}/cache",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


def _paths(texts: list[str]) -> list[str]:
    """The files and folders of this machine that ``texts`` name, longest first.

    Includes the parent of an index folder (``file:///mirror/simple``): its pages link to files
    beside it.
    """
    found = set()
    for text in texts:
        urls = re.findall(r"file://(/[^\s,\[\]#]+)", text)
        found |= {os.path.dirname(each.rstrip("/")) for each in urls if os.path.isdir(each)}
        found |= set(urls) | set(re.findall(r"(?:^|(?<=[\s,:=]))/[^\s,:;\[\]]+", text))
    kept = {os.path.normpath(each) for each in found if each.count("/") > 1}
    there = {each for each in kept if os.path.exists(each) and not each.startswith(_HANDS)}
    return sorted(there, key=len, reverse=True)


def _moved(text: str, paths: list[str]) -> str:
    """``text`` with ``paths`` replaced by their mount points in the container."""
    if not paths:
        return text
    pattern = "|".join(map(re.escape, paths))
    return re.sub(rf"({pattern})(?![\w.-])", rf"{_HANDS}/here\1", text)


def _keep(name: str, tag: str, base: str, log: Log, stop: Stop, variables: dict[str, str]) -> str:
    """Commit the container as an image with the base's settings and the new PATH; its ID."""
    config = image_base.inspect(base)
    environ = dict(each.split("=", 1) for each in config.get("Env") or () if "=" in each)
    path = environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    first = f"{VENV}/bin"
    if not path.startswith(first + ":"):
        path = f"{first}:{path}"
    environ = {"PATH": path, **variables}
    made = _commit(name, environ, f"Committing image {tag}", stop)
    image_tool.run(["tag", made, tag], f"Tagging image {tag}", lambda _: None, stop)
    log(f"Built image {tag}.")
    return made


def _commit(name: str, environ: dict[str, str], doing: str, stop: Stop) -> str:
    """Commit the container ``name`` with exactly the variables ``environ``; the image's ID."""
    podman = container_tool.require().kind == "podman"
    for write_env in (_env_escaped, _env_plain) if podman else (_env_escaped,):
        changes = [write_env(key, value) for key, value in environ.items()] + ["CMD []"]
        words = ["commit", *(["--quiet"] if podman else [])]
        words += [word for change in changes for word in ("--change", change)]
        image = _id_in(image_tool.run([*words, name], doing, lambda _: None, stop))
        wrong = _wrong_variables(image, environ)
        if not wrong:
            return image
        image_tool.run(["rmi", image], doing, lambda _: None, stop)
    raise EnvironmentException(
        f"{doing} failed: the container tool changed the value of {', '.join(wrong)}.",
        "Set the variable on the job instead of the environment, or simplify its value.",
    )


def _id_in(lines: list[str]) -> str:
    """The image's ID in the tool's output, which may contain warnings."""
    found = [re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", line.strip()) for line in lines]
    return [each[1] for each in found if each][-1]


def _env_escaped(name: str, value: str) -> str:
    """An ENV change in Dockerfile syntax, which docker and podman 5 parse."""
    return f'ENV {name}="' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _env_plain(name: str, value: str) -> str:
    """An ENV change for podman 4, which strips the outer quotes and has no escapes."""
    return f'ENV {name}="{value}"'


def _wrong_variables(image: str, wanted: dict[str, str]) -> list[str]:
    """The names in ``wanted`` that have another value in the image."""
    found = dict(each.partition("=")[::2] for each in image_base.inspect(image).get("Env") or ())
    return [name for name, value in wanted.items() if found.get(name) != value]


def _remove(name: str) -> None:
    """Remove the container ``name``, which a killed build may have left behind."""
    container_tool.run(container_tool.require(), ["rm", "--force", name])


def _cache() -> str:
    """uv's own cache on this machine, so that packages are downloaded once."""
    said = subprocess.run([uv_tool.binary(), "cache", "dir"], capture_output=True, text=True)
    folder = os.environ.get("UV_CACHE_DIR") or said.stdout.strip()
    os.makedirs(folder, exist_ok=True)
    return folder


def _uv() -> tuple[list[str], dict[str, str]]:
    """The command that runs this machine's uv in any image, and the files to mount for it.

    It comes with its own C library, since the image's may be another one or older.
    """
    uv = uv_tool.binary()
    files = {uv: f"{_HANDS}/uv"}
    said = subprocess.run(["ldd", uv], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", said)
    loader = next((each for each in libraries if "/ld-" in each), None)
    if loader is None:  # linked statically
        return [f"{_HANDS}/uv"], files
    files |= {each: f"{_HANDS}/lib/{os.path.basename(each)}" for each in libraries}
    started = [f"{_HANDS}/lib/{os.path.basename(loader)}", "--library-path", f"{_HANDS}/lib"]
    return [*started, f"{_HANDS}/uv"], files
