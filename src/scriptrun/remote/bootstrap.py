"""scriptrun on a cluster's login node: found there, or installed on first use.

A target may set an interpreter that has scriptrun (``tool``). Otherwise one is installed below the
target's root: a virtual environment on the login node's Python 3.11 or newer, with this scriptrun
and its dependencies. They are downloaded here, for the cluster's platform, and uploaded: the
cluster needs no internet access for that.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import io
import tarfile
from pathlib import Path

from scriptrun.engines.transport import CommandResult, SshTransport, Transport
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.digests import digest_of, sha256
from scriptrun.spec.errors import ComputeTargetException, ExperimentExecutionException
from scriptrun.store import dependents, scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the default root of a cluster's runs
DEFAULT_ROOT = "~/scriptrun"
#: seconds that uploading and installing the tool may take
INSTALL_TIMEOUT = 600.0
_PACKAGE = Path(__file__).resolve().parents[1]
_REQUIRED_PACKAGES = ("cryptography", "psutil", "pyyaml", "rich-argparse", "uv")
_DATA_PACKAGES = ("fsspec", "obstore", "pyarrow")
_CONDA_PACKAGES = ("py-rattler",)

#: prints path, version, machine and C library of the first suitable Python
_FIND_SCRIPT = """\
for name in python3.13 python3.12 python3.11 python3.14 python3; do
  path=$(command -v $name) || continue
  "$path" -c '
import platform, sys, venv
if sys.version_info < (3, 11): sys.exit(1)
print(sys.executable, "%d.%d" % sys.version_info[:2], platform.machine(), *platform.libc_ver())
' 2>/dev/null && exit 0
done
exit 3
"""
#: creates the environment under a temporary name and renames it: complete or absent
_INSTALL_SCRIPT = """\
set -e
umask 022
mkdir -p "$1"
made="$1/.$2.$$"
trap 'rm -rf "$made"' EXIT
"$3" -m venv --without-pip "$made"
tar -xf - -C "$made/lib/python$4/site-packages"
mv -T "$made" "$1/$2" 2>/dev/null || test -x "$1/$2/bin/python"
"""


def call(
    transport: SshTransport,
    address: Json,
    arguments: list[str],
    data: bytes,
    timeout: float,
) -> bytes:
    """Run scriptrun on the login node with ``arguments`` and return its output.

    Raises HostUnreachable, ComputeTargetException if the tool cannot be installed there, and
    ExperimentExecutionException if it fails.
    """
    address["root"] = absolute(transport, address["root"])
    argv = tool_command(address)
    result = transport.run([*argv, *arguments], data, timeout)
    if result.code in (126, 127) and not address.get("tool"):
        install(transport, address["root"])
        result = transport.run([*argv, *arguments], data, timeout)
    if result.code:
        raise _tool_error(transport, address, result)
    return result.out


def tool_command(address: Json) -> list[str]:
    """The command line of the tool's interpreter there."""
    if address.get("tool"):
        return [str(address["tool"]), "-P"]
    return [f"{_tool_folder(address['root'])}/{tool_key()}/bin/python", "-I"]


def _tool_folder(root: str) -> str:
    return f"{root}/.scriptrun/tool"


def _tool_error(
    transport: SshTransport, address: Json, result: CommandResult
) -> ExperimentExecutionException:
    details = result.error_line[-600:] or f"exit code {result.code}"
    tool_note = f" ({address['tool']})" if address.get("tool") else ""
    return ExperimentExecutionException(
        f"scriptrun on {transport.machine}{tool_note} did not respond: {details}",
        "To check the cluster, run: scriptrun compute check NAME",
    )


def absolute(transport: Transport, root: str) -> str:
    """``root`` with ``~`` expanded to the remote home directory."""
    if root != "~" and not root.startswith("~/"):
        return root
    home = transport.run(["printenv", "HOME"]).text.strip()
    return home + root[1:]


@functools.cache
def tool_key() -> str:
    """A digest of this scriptrun and its dependencies; a different one is installed separately."""
    hasher = sha256()
    for path in sorted(_sources()):
        hasher.update(str(path.relative_to(_PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest_of([hasher.hexdigest(), *_requirements()])[:16]


def _sources() -> list[Path]:
    return [
        path
        for path in _PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    ]


@functools.cache
def _requirements() -> tuple[str, ...]:
    """scriptrun's dependencies, pinned to the versions installed here."""
    data = _DATA_PACKAGES if importlib.util.find_spec("obstore") else ()
    conda = _CONDA_PACKAGES if importlib.util.find_spec("rattler") else ()
    requirements = []
    for name in (*_REQUIRED_PACKAGES, *data, *conda):
        try:
            requirements.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            requirements.append(name)
    return tuple(requirements)


def install(transport: SshTransport, root: str) -> None:
    """Install the tool below ``root``. Raises ComputeTargetException if that fails."""
    result = transport.run(["sh", "-c", _FIND_SCRIPT])
    if result.code:
        raise ComputeTargetException(
            f"No Python 3.11 or newer found on {transport.machine}.",
            "Set one that has scriptrun: scriptrun compute set NAME --tool /path/to/python",
        )
    python, version, machine, *libc = result.text.split()
    with scratch.Scratch("tool") as folder:
        _download_packages(Path(folder), version, _platform(machine, libc))
        data = _pack(Path(folder))
    tool_folder = _tool_folder(root)
    result = transport.run(
        ["sh", "-c", _INSTALL_SCRIPT, "make", tool_folder, tool_key(), python, version],
        data,
        INSTALL_TIMEOUT,
    )
    if result.code:
        raise ComputeTargetException(
            f"Cannot install scriptrun into {tool_folder} on {transport.machine}: "
            f"{result.error_line}.",
            "Check the permissions and quota of the target's root.",
        )


def _platform(machine: str, libc: list[str]) -> str:
    """uv's name for the platform."""
    if libc[:1] != ["glibc"]:
        return f"{machine}-unknown-linux-musl"
    recent = tuple(map(int, libc[1].split(".")[:2])) >= (2, 28)
    return f"{machine}-manylinux{'_2_28' if recent else '2014'}"


def _download_packages(folder: Path, version: str, platform: str) -> None:
    """Download the packages for that Python and platform into ``folder``."""
    argv = [uv_tool.binary(), "pip", "install", "--quiet", "--target", str(folder)]
    argv += ["--python-version", version, "--python-platform", platform]
    argv += ["--only-binary", ":all:", *_requirements()]
    with uv_tool.own_folder("build") as cwd:
        result = dependents.run(argv, cwd=cwd)
    if result.returncode:
        raise ComputeTargetException(
            f"Cannot download scriptrun's dependencies for the cluster ({platform}, Python "
            f"{version}): {result.stderr.decode('utf-8', 'replace').strip()}",
            "Install scriptrun on the cluster and set its Python: "
            "scriptrun compute set NAME --tool /path/to/python",
        )


def _pack(folder: Path) -> bytes:
    """The packages and this scriptrun as a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=_normalize_member)
        for path in _sources():
            tar.add(path, f"scriptrun/{path.relative_to(_PACKAGE)}", filter=_normalize_member)
    return stream.getvalue()


def _normalize_member(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return None if "__pycache__" in member.name else member
