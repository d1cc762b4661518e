"""Runs a command as a normal user who is there for that command alone: for podman without root.

``python as_user.py HOME COMMAND...`` as root. The user's name, ids and ranges of further ids stand
in copies of /etc/passwd and the like, which only the command's mount namespace sees; nothing of
this machine is changed. There ``HOME/own`` is /srv, the user's home: without root, podman waits for
ever where the paths of its sockets are long. And the command sees what it needs below directories
that are closed to other users: this interpreter and this checkout.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAME, UID, HOME = "tester", 60123, "/srv"
#: the further ids that the user's containers may use
_RANGE = f"{NAME}:300000:65536\n"
_LINES = {
    "passwd": f"{NAME}:x:{UID}:{UID}::{{home}}:/bin/sh\n",
    "group": f"{NAME}:x:{UID}:\n",
    "subuid": _RANGE,
    "subgid": _RANGE,
}
_ROOT = Path(__file__).resolve().parents[2]
_UNSEEN = "/sys/fs/cgroup/unified"


def command(home: Path, argv: Sequence[str], **variables: str) -> list[str]:
    """The command line that runs ``argv`` as the user, whose home is ``home / "own"``."""
    own = home / "own"
    own.mkdir(parents=True, exist_ok=True)
    steps = [f"umount {_UNSEEN}"] if os.path.ismount(_UNSEEN) else []
    for name, line in _LINES.items():
        there = Path("/etc", name)
        text = there.read_text() if there.exists() and name in ("passwd", "group") else ""
        (home / name).write_text(text + line.format(home=HOME))
        there.touch()
        steps.append(f"mount --bind {shlex.quote(str(home / name))} {there}")
    os.chown(own, UID, UID)
    (own / "run").mkdir(mode=0o700)
    os.chown(own / "run", UID, UID)
    steps.append(f"mount --bind {shlex.quote(str(own))} {HOME}")
    steps += _opened(home / "opened", [Path(sys.base_prefix), _ROOT])
    told = {
        "HOME": HOME,
        "USER": NAME,
        "PATH": os.environ["PATH"],
        "XDG_RUNTIME_DIR": f"{HOME}/run",
        **variables,
    }
    become = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i"]
    become += [f"{name}={value}" for name, value in told.items()]
    script = "\n".join(["set -e", *steps, f'cd {HOME}; exec "$@"'])
    return ["unshare", "-m", "--propagation", "slave", "sh", "-c", script, "sh", *become, *argv]


def _opened(scratch: Path, wanted: Sequence[Path]) -> list[str]:
    """Mounts after which each path of ``wanted`` can be reached, and nothing else beside it."""
    closed: dict[Path, list[Path]] = {}
    for path in wanted:
        above = [each for each in reversed(path.parents) if not each.stat().st_mode & 0o001]
        if above:
            closed.setdefault(above[0], []).append(path)
    steps = []
    for number, (folder, paths) in enumerate(closed.items()):
        shadow = scratch / str(number)
        shadow.mkdir(parents=True, mode=0o755)
        for path in paths:
            place = shadow / path.relative_to(folder)
            place.mkdir(parents=True, exist_ok=True)
            steps.append(f"mount --rbind {shlex.quote(str(path))} {shlex.quote(str(place))}")
        steps.append(f"mount --rbind {shlex.quote(str(shadow))} {shlex.quote(str(folder))}")
    return steps


def lacks() -> str:
    """What this machine lacks for it, or ""."""
    if os.geteuid() != 0:
        return "root's rights"
    gone = [each for each in ("unshare", "setpriv", "newuidmap") if not _is_there(each)]
    return gone[0] if gone else ""


def _is_there(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None


if __name__ == "__main__":
    sys.exit(subprocess.run(command(Path(sys.argv[1]).absolute(), sys.argv[2:])).returncode)
