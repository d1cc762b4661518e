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


class Held(Value, frozen=False):
    """A run's share of the machine: the locked files' descriptors, and its GPUs' UUIDs."""

    descriptors: tuple[int, ...]
    gpus: tuple[str, ...] = ()

    def close(self) -> None:
        """Release it in this process; a child that inherited the descriptors still holds it."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()


def take(
    root: Path, max_runs: int | None, gpus_wanted: int = 1, visible: str | None = None
) -> Held | None:
    """Lock a slot, and ``gpus_wanted`` GPUs if the machine has any; None if too few are free.

    ``visible`` is the job's CUDA_VISIBLE_DEVICES, which limits the GPUs it may get. A job without
    GPUs takes a slot, as on a machine without GPUs.
    """
    machine = bounded(machine_gpus(), visible) if gpus_wanted else []
    held: list[int] = []
    if max_runs is not None or not machine:
        slot = _first_free(root, [f"slot-{n}" for n in range(max_runs or DEFAULT_RUNS)], 1)
        if slot is None:
            return None
        held += [descriptor for _, descriptor in slot]
    if not machine:
        return Held(tuple(held))
    wanted = min(gpus_wanted, len(machine))
    taken = _first_free(root, [f"gpu-{uuid}" for uuid in machine], wanted)
    if taken is None:
        Held(tuple(held)).close()
        return None
    held += [descriptor for _, descriptor in taken]
    return Held(tuple(held), tuple(name[len("gpu-") :] for name, _ in taken))


def bounded(uuids: list[str], visible: str | None) -> list[str]:
    """The GPUs among ``uuids`` that ``visible`` (the value of CUDA_VISIBLE_DEVICES) allows.

    As CUDA reads it: indices or UUID prefixes; the first invalid item ends the list.
    """
    if visible is None:
        return uuids
    chosen: list[str] = []
    for item in (part.strip() for part in visible.split(",")):
        found = _named(item, uuids)
        if found is None or found in chosen:
            break
        chosen.append(found)
    return chosen


def _named(item: str, uuids: list[str]) -> str | None:
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
    found = {}
    for folder in folders:
        told = (line.partition(":") for line in (folder / "information").read_text().splitlines())
        facts = {name.strip(): value.strip() for name, _, value in told}
        if facts.get("GPU UUID"):
            found[facts["GPU UUID"]] = facts.get("Model", "")
    return found


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
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = (line.partition(",") for line in done.stdout.splitlines() if line.startswith("GPU-"))
    return tuple((uuid.strip(), model.strip()) for uuid, _, model in rows)


def _first_free(root: Path, names: list[str], wanted: int) -> list[tuple[str, int]] | None:
    found: list[tuple[str, int]] = []
    for name in names:
        if len(found) == wanted:
            break
        descriptor = _try(root / name)
        if descriptor is not None:
            found.append((name, descriptor))
    if len(found) < wanted:
        Held(tuple(descriptor for _, descriptor in found)).close()
        return None
    return found


def _try(path: Path) -> int | None:
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
