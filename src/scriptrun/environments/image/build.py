"""Install locked packages on top of an image, in layers that change as rarely as possible.

Two steps run in containers of the base, and each becomes a layer: a virtual environment of the
image's own Python (which sees the image's packages), and the packages, by ``uv pip sync``. This
machine's uv and its cache are mounted, and neither leaves a trace in the image.
"""

from __future__ import annotations

import os
import re
import subprocess

from scriptrun.environments.builder import ImageRegistry, Lockfile, Log, Stop
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image import git as image_git
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import VENV, adds_packages, builds_base, tag_of
from scriptrun.environments.uv import compat_names, index_credentials
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.runtime.files import write_atomic
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool, scratch

#: where uv, its cache and the requirements are mounted while packages are installed
_MOUNT = "/run/scriptrun"


def build(
    spec: EnvironmentSpec,
    lockfile: Lockfile,
    key: str,
    registry: ImageRegistry,
    log: Log,
    stop: Stop,
) -> str:
    """The ID of the image that ``lockfile`` describes; existing layers are reused."""
    has_layers = adds_packages(lockfile)
    is_shareable = has_layers or builds_base(spec)
    tag = tag_of(key)
    image = image_registry.image_id(tag if has_layers else lockfile["base"])
    image = image or (image_registry.fetch(key, tag, registry, log, stop) if is_shareable else "")
    if image:
        return image
    base = _ensure_base(spec, lockfile, log, stop)
    if not has_layers:
        return base
    if lockfile.get("conda"):
        return _add_conda_packages(spec, lockfile, base, tag, log, stop)
    venv = _add_venv(base, lockfile, log, stop)
    return _build_layer(
        venv, tag, ["pip", "sync", *_install_arguments(spec, lockfile)], lockfile, spec, log, stop
    )


def _ensure_base(spec: EnvironmentSpec, lockfile: Lockfile, log: Log, stop: Stop) -> str:
    """The base image in the lockfile; one that was built here may be rebuilt."""
    if image_registry.image_id(lockfile["base"]):
        return str(lockfile["base"])
    base = image_base.get(spec, log, stop)
    if base != lockfile["base"] and not builds_base(spec):
        raise EnvironmentException(
            f"Image {lockfile['named']!r} has changed, and the version in the lockfile is "
            "no longer available.",
            "To lock the environment again, run: scriptrun env build --upgrade",
        )
    if base != lockfile["base"]:
        log(f"Rebuilt image {lockfile['named']}: {base[:12]}.")
    return base


def _add_venv(base: str, lockfile: Lockfile, log: Log, stop: Stop) -> str:
    python = lockfile["base_interpreter"]
    tag = venv_tag(base, python)
    image = image_registry.image_id(tag)
    if image:
        return image
    arguments = ["venv", "--system-site-packages", "--python", python, "--no-project", VENV]
    return _build_layer(base, tag, arguments, lockfile, None, log, stop)


def venv_tag(base: str, python: str) -> str:
    """The tag of the layer with a virtual environment of ``python`` on the image ``base``."""
    return f"localhost/scriptrun-python:{digest_of([base, python])[:32]}"


def _add_conda_packages(
    spec: EnvironmentSpec, lockfile: Lockfile, base: str, tag: str, log: Log, stop: Stop
) -> str:
    """Add the conda packages as one layer, and the pip packages as the next."""
    if not lockfile["requirements"]:
        return _build_conda_layer(spec, lockfile, base, tag, log, stop)
    conda_tag = image_conda.layer_tag(lockfile, base)
    conda_image = image_registry.image_id(conda_tag) or _build_conda_layer(
        spec, lockfile, base, conda_tag, log, stop
    )
    arguments = [
        "pip",
        "install",
        "--no-deps",
        "--break-system-packages",
        *_install_arguments(spec, lockfile),
    ]
    arguments[-1:] = ["-r", arguments[-1]]
    return _build_layer(conda_image, tag, arguments, lockfile, spec, log, stop)


def _build_conda_layer(
    spec: EnvironmentSpec, lockfile: Lockfile, base: str, tag: str, log: Log, stop: Stop
) -> str:
    name = f"scriptrun-build-{tag.rpartition(':')[2]}"
    _remove_container(name)
    try:
        variables, has_scripts = image_conda.create_container(spec, lockfile, base, name, log, stop)
        if not lockfile["requirements"]:
            _add_compat_names(name, lockfile, log, stop)
        image = _commit_layer(name, tag, base, log, stop, {"CONDA_PREFIX": VENV, **variables})
        script_variables = image_conda.activation_variables(image) if has_scripts else {}
        return (
            _commit_layer(name, tag, image, log, stop, {"CONDA_PREFIX": VENV, **script_variables})
            if script_variables
            else image
        )
    finally:
        _remove_container(name)


def _add_compat_names(name: str, lockfile: Lockfile, log: Log, stop: Stop) -> None:
    """Add the names that old scripts use, if pins were relaxed."""
    if not lockfile.get("relaxed"):
        return
    minor = ".".join(str(lockfile["python"]).split(".")[:2])
    with scratch.Scratch("build") as folder:
        compat_names.put(folder)
        arguments = ["cp", f"{folder}/.", f"{name}:{VENV}/lib/python{minor}/site-packages"]
        image_tool.run(arguments, f"Adding compatibility names to {lockfile['named']}", log, stop)


def _install_arguments(spec: EnvironmentSpec, lockfile: Lockfile) -> list[str]:
    text = lockfile["requirements"]
    hashed = uv_requirements.all_hashed(text)
    _, flags = uv_requirements.from_spec(spec).for_sync()
    return [
        *("--python", f"{VENV}/bin/python"),
        *(["--require-hashes"] if hashed else []),
        *flags,
        f"{_MOUNT}/requirements.txt",
    ]


def _build_layer(
    base: str,
    tag: str,
    arguments: list[str],
    lockfile: Lockfile,
    spec: EnvironmentSpec | None,
    log: Log,
    stop: Stop,
) -> str:
    """Run uv with ``arguments`` in a container of ``base``, and commit its changes as ``tag``."""
    name = f"scriptrun-build-{tag.rpartition(':')[2]}"
    _remove_container(name)
    with (
        scratch.Scratch("build", _memory_folder()) as folder,
        scratch.Scratch("git") as clones_folder,
    ):
        program, mounts = _uv_command()
        variables, lines = index_credentials.split_index_options(_uv_variables(arguments))
        text, secrets = _requirements(spec, lockfile, lines) if spec else ("", {})
        text, trees = image_git.fetch_repositories(
            text, secrets, clones_folder, f"{_MOUNT}/git", log, stop
        )
        local_paths = _local_paths([*variables.values(), *text.splitlines()])
        mounts |= {local_path: f"{_MOUNT}/here{local_path}" for local_path in local_paths}
        path = os.path.join(folder, "requirements.txt")
        content = _with_container_paths(text, local_paths).encode()
        write_atomic(path, content, 0o600, durable=False)
        mounts[path] = f"{_MOUNT}/requirements.txt"
        try:
            image_tool.run(
                [*_container_arguments(name, mounts, variables, trees), base, *program, *arguments],
                f"Installing the packages into image {lockfile['named']}",
                log,
                stop,
                environ={
                    key: _with_container_paths(value, local_paths)
                    for key, value in variables.items()
                },
                masked=index_credentials.values_to_mask(secrets),
            )
            if spec:
                _add_compat_names(name, lockfile, log, stop)
            variables = {"CONDA_PREFIX" if lockfile.get("conda") else "VIRTUAL_ENV": VENV}
            return _commit_layer(name, tag, base, log, stop, variables)
        finally:
            _remove_container(name)


def _requirements(
    spec: EnvironmentSpec, lockfile: Lockfile, lines: list[str]
) -> tuple[str, dict[str, str]]:
    """The requirements with secrets filled in (variables would stay in the image), and those."""
    options, _ = uv_requirements.from_spec(spec).for_sync()
    if any(option.startswith(("--index-url", "-i ", "--no-index")) for option in options):
        lines = [line for line in lines if not line.startswith("--index-url")]
    text, secrets = index_credentials.filled(
        "\n".join([*options, *lines, lockfile["requirements"]])
    )
    return index_credentials.expand_variables(text, secrets), secrets


def _memory_folder() -> str | None:
    """A folder in memory, for secrets that must not be on disk; None if there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _container_arguments(
    name: str, mounts: dict[str, str], variables: dict[str, str], trees: dict[str, str]
) -> list[str]:
    """The command line up to the image; the mounts leave at most one empty folder in it.

    Only ``trees`` are mounted writable.
    """
    arguments = ["run", "--name", name, "--pull=never", "--network=host", "--user", "0:0"]
    arguments += ["--label", f"{container_tool.BUILDER}={os.getpid()}"]
    arguments += ["--security-opt", "label=disable", "--workdir", "/", "--entrypoint", ""]
    arguments += ["--tmpfs", _MOUNT, "--volume", f"{_uv_cache()}:{_MOUNT}/cache"]
    for source, target in mounts.items():
        arguments += ["--volume", f"{source}:{target}:ro"]
    for source, target in trees.items():
        arguments += ["--volume", f"{source}:{target}"]
    return [
        *arguments,
        *(word for variable in variables for word in ("--env", variable)),
        "--env",
        "HOME=/tmp",
    ]


def _uv_variables(arguments: list[str]) -> dict[str, str]:
    """uv's variables in the container: indexes, certificates and the like, and its cache folder.

    Their values may hold credentials, so they are on no command line and in no image.
    """
    variables = uv_tool.variables(arguments)
    passed_on = {
        name: value for name, value in variables.items() if name.startswith(("UV_", "SSL_CERT_"))
    }
    for name in ("UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_TOOL_DIR", "UV_CONFIG_FILE"):
        passed_on.pop(name, None)
    return {
        **passed_on,
        "UV_CACHE_DIR": f"{_MOUNT}/cache",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


def _local_paths(texts: list[str]) -> list[str]:
    """The files and folders of this machine that ``texts`` name, longest first.

    Includes the parent of an index folder (``file:///mirror/simple``): its pages link to files
    next to it.
    """
    paths = set()
    for text in texts:
        urls = re.findall(r"file://(/[^\s,\[\]#]+)", text)
        paths |= {os.path.dirname(url.rstrip("/")) for url in urls if os.path.isdir(url)}
        paths |= set(urls) | set(re.findall(r"(?:^|(?<=[\s,:=]))/[^\s,:;\[\]]+", text))
    normalized = {os.path.normpath(path) for path in paths if path.count("/") > 1}
    existing = {
        candidate
        for candidate in normalized
        if os.path.exists(candidate) and not candidate.startswith(_MOUNT)
    }
    return sorted(existing, key=len, reverse=True)


def _with_container_paths(text: str, paths: list[str]) -> str:
    """``text`` with ``paths`` replaced by their mount points in the container."""
    if not paths:
        return text
    pattern = "|".join(map(re.escape, paths))
    return re.sub(rf"({pattern})(?![\w.-])", rf"{_MOUNT}/here\1", text)


def _commit_layer(
    name: str, tag: str, base: str, log: Log, stop: Stop, variables: dict[str, str]
) -> str:
    """Commit the container as an image with the base's settings and the new PATH; its ID."""
    config = image_base.inspect(base)
    environ = dict(setting.split("=", 1) for setting in config.get("Env") or () if "=" in setting)
    path = environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    bin_folder = f"{VENV}/bin"
    if not path.startswith(bin_folder + ":"):
        path = f"{bin_folder}:{path}"
    environ = {"PATH": path, **variables}
    image = _commit(name, environ, f"Committing image {tag}", stop)
    image_tool.run(["tag", image, tag], f"Tagging image {tag}", lambda _: None, stop)
    log(f"Built image {tag}.")
    return image


def _commit(name: str, environ: dict[str, str], action: str, stop: Stop) -> str:
    """Commit the container ``name`` with exactly the variables ``environ``; the image's ID."""
    podman = container_tool.require().kind == "podman"
    for write_env in (_env_escaped, _env_plain) if podman else (_env_escaped,):
        changes = [write_env(key, value) for key, value in environ.items()] + ["CMD []"]
        arguments = ["commit", *(["--quiet"] if podman else [])]
        arguments += [argument for change in changes for argument in ("--change", change)]
        image = _image_id(image_tool.run([*arguments, name], action, lambda _: None, stop))
        changed_names = _wrong_variables(image, environ)
        if not changed_names:
            return image
        image_tool.run(["rmi", image], action, lambda _: None, stop)
    raise EnvironmentException(
        f"{action} failed: the container tool changed the value of {', '.join(changed_names)}.",
        "Set the variable on the job instead of the environment, or simplify its value.",
    )


def _image_id(lines: list[str]) -> str:
    """The image's ID in the tool's output, which may contain warnings."""
    matches = [re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", line.strip()) for line in lines]
    return [match[1] for match in matches if match][-1]


def _env_escaped(name: str, value: str) -> str:
    """An ENV change in Dockerfile syntax, which docker and podman 5 parse."""
    return f'ENV {name}="' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _env_plain(name: str, value: str) -> str:
    """An ENV change for podman 4, which strips the outer quotes and has no escapes."""
    return f'ENV {name}="{value}"'


def _wrong_variables(image: str, expected: dict[str, str]) -> list[str]:
    """The names in ``expected`` that have another value in the image."""
    actual = dict(
        setting.partition("=")[::2] for setting in image_base.inspect(image).get("Env") or ()
    )
    return [name for name, value in expected.items() if actual.get(name) != value]


def _remove_container(name: str) -> None:
    """Remove the container ``name``, which a killed build may have left behind."""
    container_tool.run(container_tool.require(), ["rm", "--force", name])


def _uv_cache() -> str:
    """uv's own cache on this machine, so that packages are downloaded once."""
    with uv_tool.own_folder("cache") as cwd:
        command = [uv_tool.binary(), "cache", "dir"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    folder = os.environ.get("UV_CACHE_DIR") or result.stdout.strip()
    os.makedirs(folder, exist_ok=True)
    return folder


def _uv_command() -> tuple[list[str], dict[str, str]]:
    """The command that runs this machine's uv in any image, and the files to mount for it.

    It comes with its own C library, since the image's may be another one or older.
    """
    uv = uv_tool.binary()
    files = {uv: f"{_MOUNT}/uv"}
    ldd_output = subprocess.run(["ldd", uv], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", ldd_output)
    loader = next((library for library in libraries if "/ld-" in library), None)
    if loader is None:  # linked statically
        return [f"{_MOUNT}/uv"], files
    files |= {path: f"{_MOUNT}/lib/{os.path.basename(path)}" for path in libraries}
    command = [f"{_MOUNT}/lib/{os.path.basename(loader)}", "--library-path", f"{_MOUNT}/lib"]
    return [*command, f"{_MOUNT}/uv"], files
