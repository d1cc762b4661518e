"""Container images of this machine's own files, with no registry: for the tests.

``python rootfs.py base DIRECTORY`` writes a root file system with this Python, a shell
and a few commands to ``DIRECTORY/base.tar``; ``bare`` one that holds no Python. ``podman import``
makes an image of either.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

COMMANDS = (
    *("sh", "bash", "cat", "ls", "sleep", "env", "id", "mkdir", "rm", "echo", "head", "tee"),
    *("touch", "kill", "true", "false", "printf", "chmod", "ps"),
)
#: libraries that programs from packages want, beside those of the commands
LIBRARIES = (
    *("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
)
#: what a small Python does without
LEFT_OUT = re.compile(
    r"/(test|tests|site-packages|__pycache__|idlelib|ensurepip|config-[^/]*)(/|$)"
)


def write(path: str | os.PathLike[str], python: bool = True) -> None:
    """Write the root file system as a tar file."""
    commands = [found for found in map(_which, COMMANDS) if found]
    programs = list(commands)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base = os.path.realpath(sys.base_prefix)
    interpreter = os.path.join(base, "bin", version)
    if python:
        folder = sysconfig.get_path("stdlib").replace(sys.base_prefix, base)
        programs += [interpreter, *glob.glob(os.path.join(folder, "lib-dynload", "*.so"))]
    with tarfile.open(path, "w") as tar:
        for name in ("tmp", "root", "etc", "usr/local/bin", "proc", "sys", "dev"):
            _folder(tar, name, 0o1777 if name == "tmp" else 0o755)
        for each in _libraries(programs):
            _add(tar, each, each)
        for each in commands:
            _add(tar, each, f"/usr/bin/{os.path.basename(each)}")
        _text(tar, "etc/passwd", "root:x:0:0:root:/root:/usr/bin/sh\napp:x:1000:1000::/tmp:\n")
        _text(tar, "etc/group", "root:x:0:\napp:x:1000:\n")
        _link(tar, "bin", "usr/bin")
        if python:
            _python(tar, base, version, folder, interpreter)


def _python(tar: tarfile.TarFile, base: str, version: str, folder: str, interpreter: str) -> None:
    _add(tar, interpreter, f"/usr/local/bin/{version}")
    for name in ("python3", "python"):
        _link(tar, f"usr/local/bin/{name}", version)
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not LEFT_OUT.search(f"/{each}/")]
        for name in names:
            place = os.path.join(root, name)
            if not name.endswith((".pyc", ".a")):
                _add(
                    tar, place, "/usr/local/lib/" + os.path.relpath(place, os.path.dirname(folder))
                )


def _which(name: str) -> str | None:
    import shutil

    return shutil.which(name, path="/usr/bin:/bin")


def _libraries(programs: list[str]) -> set[str]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True).stdout
    found = set(re.findall(r"(/\S+\.so\S*) \(0x", said))
    folder = next(os.path.dirname(each) for each in found if "/libc.so" in each)
    more = (os.path.join(folder, each) for each in LIBRARIES)
    return found | {each for each in more if os.path.exists(each)}


def _add(tar: tarfile.TarFile, source: str, target: str) -> None:
    real = os.path.realpath(source)
    info = tar.gettarinfo(real, target.lstrip("/"))
    info.type, info.linkname = tarfile.REGTYPE, ""
    info.size = os.path.getsize(real)
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    with open(real, "rb") as content:
        tar.addfile(info, content)


def _folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    import io

    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text), 0o644
    tar.addfile(info, io.BytesIO(text.encode()))


if __name__ == "__main__":
    made = Path(sys.argv[2]) / f"{sys.argv[1]}.tar"
    write(made, python=sys.argv[1] == "base")
    print(made)
