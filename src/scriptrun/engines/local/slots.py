"""The machine's slots and GPUs: one flock file each, shared by all its users and workspaces.

The kernel releases a flock when the last process with its descriptor ends, so a crash leaves
nothing to clean up. A locked file names its holder, for people: it decides nothing.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import stat
from pathlib import Path

from scriptrun.spec import accounts
from scriptrun.spec.values import Value

#: concurrent runs on a machine without GPUs, unless the compute target says otherwise
DEFAULT_RUNS = 2
#: not a property of the file: the next try may succeed
_DISK_ERRORS = (
    errno.ENOSPC,
    getattr(errno, "EDQUOT", errno.ENOSPC),
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
)
_GPUS = Path("/proc/driver/nvidia/gpus")


class SlotsUnusable(Exception):
    """None of the slot files can be used: the folder is another user's, or damaged."""


class Search(Value, frozen=False):
    """What stood in the way of taking a slot: files that are locked, and those of no use."""

    kind: str = "slot"
    missing: int = 1
    busy: tuple[Path, ...] = ()
    unusable: tuple[tuple[Path, str], ...] = ()

    def reason(self) -> str:
        """Why a run waits, as a phrase."""
        what = f"a free {self.kind}" if self.missing == 1 else f"{self.missing} free {self.kind}s"
        holders = sorted({holder for holder in map(_holder_of, self.busy) if holder})
        details = [f"{path.name} {problem}" for path, problem in self.unusable]
        if holders:
            details.insert(0, f"in use by {', '.join(holders)}")
        elif self.busy:
            details.insert(0, f"all {len(self.busy)} of this machine are in use")
        return "; ".join([f"waits for {what}", *details])


class Slot(Value, frozen=False):
    """A run's share of the machine: the locked files' descriptors, and its GPUs' UUIDs."""

    descriptors: tuple[int, ...]
    gpus: tuple[str, ...] = ()

    def close(self) -> None:
        """Release it in this process; a child that inherited the descriptors still holds it."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()


def take(
    root: Path,
    max_runs: int | None,
    gpu_count: int = 1,
    visible: str | None = None,
    holder: str = "",
    search: Search | None = None,
    with_slot: bool = True,
) -> Slot | None:
    """Lock a slot, and ``gpu_count`` GPUs if the machine has any; None if too few are free.

    Without ``with_slot``, GPUs only, and an empty slot for a job without GPUs.

    ``visible`` is the job's CUDA_VISIBLE_DEVICES, which limits the GPUs it may get. A job without
    GPUs takes a slot, as on a machine without GPUs. ``holder`` says who takes it; ``search``
    records what prevented it. Raises SlotsUnusable if no file in ``root`` can be used.
    """
    search = Search() if search is None else search
    uuids = visible_gpus(machine_gpus(), visible) if gpu_count else []
    descriptors: list[int] = []
    if with_slot and (max_runs is not None or not uuids):
        names = [f"slot-{n}" for n in range(max_runs or DEFAULT_RUNS)]
        slot = _take_free(root, names, 1, search)
        if slot is None:
            return None
        descriptors += [descriptor for _, descriptor in slot]
    if not uuids:
        return _held(descriptors, holder)
    count = min(gpu_count, len(uuids))
    search.kind = "GPU"
    try:
        gpus = _take_free(root, [f"gpu-{uuid}" for uuid in uuids], count, search)
    except SlotsUnusable:
        Slot(tuple(descriptors)).close()
        raise
    if gpus is None:
        Slot(tuple(descriptors)).close()
        return None
    descriptors += [descriptor for _, descriptor in gpus]
    return _held(descriptors, holder, tuple(name[len("gpu-") :] for name, _ in gpus))


#: bytes that say who holds a slot, filled up with blanks
_HOLDER_SIZE = 500


def _held(descriptors: list[int], holder: str, gpus: tuple[str, ...] = ()) -> Slot:
    """The slot, whose files say who holds it."""
    text = json.dumps({"run": holder, "user": os.geteuid()}).encode().ljust(_HOLDER_SIZE)
    for descriptor in descriptors if holder else ():
        try:
            if os.fstat(descriptor).st_size > len(text):  # a truncated ext4 file is synced
                os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
        except OSError:
            pass  # a full disk: it is for people only
    return Slot(tuple(descriptors), gpus)


def _holder_of(path: Path) -> str:
    """Who says to hold the locked file, as text for people; "" if it does not say."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as handle:
            value = json.loads(handle.read(_HOLDER_SIZE))
        run, uid = str(value["run"])[:100], int(value["user"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    if not run.isprintable():
        return ""
    return run if uid == os.geteuid() else f"{run} of {accounts.user_name(uid)}"


def visible_gpus(uuids: list[str], visible: str | None) -> list[str]:
    """The GPUs among ``uuids`` that ``visible`` (the value of CUDA_VISIBLE_DEVICES) allows.

    As CUDA reads it: indices or UUID prefixes; the first invalid item ends the list.
    """
    if visible is None:
        return uuids
    chosen: list[str] = []
    for item in (part.strip() for part in visible.split(",")):
        uuid = _find_gpu(item, uuids)
        if uuid is None or uuid in chosen:
            break
        chosen.append(uuid)
    return chosen


def _find_gpu(item: str, uuids: list[str]) -> str | None:
    if item.isascii() and item.isdigit():
        return uuids[int(item)] if int(item) < len(uuids) else None
    if not item.startswith("GPU-"):
        return None
    return next((uuid for uuid in uuids if uuid.startswith(item)), None)


def machine_gpus() -> list[str]:
    """The UUIDs of this machine's GPUs."""
    return list(machine_models())


def machine_models() -> dict[str, str]:
    """This machine's GPUs, UUID to model: from the driver's files in /proc, else nvidia-smi."""
    try:
        folders = sorted(_GPUS.iterdir())
    except OSError:
        return dict(by_nvidia_smi())
    models = {}
    for folder in folders:
        pairs = (line.partition(":") for line in (folder / "information").read_text().splitlines())
        facts = {name.strip(): value.strip() for name, _, value in pairs}
        if facts.get("GPU UUID"):
            models[facts["GPU UUID"]] = facts.get("Model", "")
    return models


@functools.cache
def by_nvidia_smi() -> tuple[tuple[str, str], ...]:
    """(UUID, model) of each GPU; called once per process, and only if there is a driver.

    For systems whose /proc does not list GPUs: WSL, some sandboxes.
    """
    if not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg"))):
        return ()
    import subprocess

    command = ["nvidia-smi", "--query-gpu=uuid,name", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = (line.partition(",") for line in result.stdout.splitlines() if line.startswith("GPU-"))
    return tuple((uuid.strip(), model.strip()) for uuid, _, model in rows)


def _take_free(
    root: Path, names: list[str], count: int, search: Search
) -> list[tuple[str, int]] | None:
    locked: list[tuple[str, int]] = []
    problems: list[tuple[Path, str]] = []
    for name in names:
        if len(locked) == count:
            break
        try:
            descriptor = _try_flock(root / name)
        except OSError as error:
            if error.errno in _DISK_ERRORS:
                raise
            problems.append((root / name, _problem(root / name, error)))
            continue
        if descriptor is None:
            search.busy += (root / name,)
        else:
            locked.append((name, descriptor))
    if len(locked) == count:
        return locked
    Slot(tuple(descriptor for _, descriptor in locked)).close()
    if len(names) - len(problems) < count:
        raise SlotsUnusable(f"{problems[0][0]} {problems[0][1]}")
    search.unusable, search.missing = tuple(problems), count
    return None


def _problem(path: Path, error: OSError) -> str:
    """Why the slot file is of no use: whose it is, or whose its folder is."""
    for candidate in (path, path.parent):
        try:
            owner = os.lstat(candidate).st_uid
        except OSError:
            continue
        if owner != os.geteuid():
            where = "is" if candidate is path else "is in a folder that is"
            return f"{where} of {accounts.user_name(owner)} and cannot be used: {error.strerror}"
        break
    return f"cannot be used: {error.strerror}"


def _try_flock(path: Path) -> int | None:
    import fcntl  # POSIX only, and this module is imported where jobs are only described

    descriptor = _open(path)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)  # a trap: what is written to it would reach another file
        raise OSError(errno.EINVAL, "it is not a regular file with a single link", str(path))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open(path: Path) -> int:
    """Open a slot's file; first without O_CREAT, which Linux refuses on others' files in /tmp."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor
    except FileExistsError:
        return os.open(path, flags)
