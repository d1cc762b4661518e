"""The machine's slots and GPUs: one flock file each, shared by all its users and workspaces.

The kernel releases a flock when the last process with its descriptor ends, so a crash leaves
nothing to clean up.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from scriptrun.spec.values import Value

#: concurrent runs on a machine without GPUs, unless the compute target says otherwise
DEFAULT_RUNS = 2
_GPUS = Path("/proc/driver/nvidia/gpus")


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
    root: Path, max_runs: int | None, gpu_count: int = 1, visible: str | None = None
) -> Slot | None:
    """Lock a slot, and ``gpu_count`` GPUs if the machine has any; None if too few are free.

    ``visible`` is the job's CUDA_VISIBLE_DEVICES, which limits the GPUs it may get. A job without
    GPUs takes a slot, as on a machine without GPUs.
    """
    uuids = visible_gpus(machine_gpus(), visible) if gpu_count else []
    descriptors: list[int] = []
    if max_runs is not None or not uuids:
        slot = _take_free(root, [f"slot-{n}" for n in range(max_runs or DEFAULT_RUNS)], 1)
        if slot is None:
            return None
        descriptors += [descriptor for _, descriptor in slot]
    if not uuids:
        return Slot(tuple(descriptors))
    count = min(gpu_count, len(uuids))
    gpus = _take_free(root, [f"gpu-{uuid}" for uuid in uuids], count)
    if gpus is None:
        Slot(tuple(descriptors)).close()
        return None
    descriptors += [descriptor for _, descriptor in gpus]
    return Slot(tuple(descriptors), tuple(name[len("gpu-") :] for name, _ in gpus))


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


def _take_free(root: Path, names: list[str], count: int) -> list[tuple[str, int]] | None:
    locked: list[tuple[str, int]] = []
    for name in names:
        if len(locked) == count:
            break
        descriptor = _try_flock(root / name)
        if descriptor is not None:
            locked.append((name, descriptor))
    if len(locked) < count:
        Slot(tuple(descriptor for _, descriptor in locked)).close()
        return None
    return locked


def _try_flock(path: Path) -> int | None:
    import fcntl  # POSIX only, and this module is imported where jobs are only described

    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open(path: Path) -> int:
    """Open a slot's file; first without O_CREAT, which Linux refuses on others' files in /tmp."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor
    except FileExistsError:
        return os.open(path, os.O_RDWR)
