"""The machine's slots and GPUs: one flock file each, shared by all its users and workspaces.

The kernel frees a lock when the last process that holds its descriptor ends, so nothing needs to be
cleaned up after a crash.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from scriptrun.spec.values import Value

#: how many runs at once on a machine without GPUs, unless the compute target says otherwise
DEFAULT_RUNS = 2
_GPUS = Path("/proc/driver/nvidia/gpus")


class Held(Value, frozen=False):
    """What a run holds of the machine: descriptors that stand for it, and its GPUs' UUIDs."""

    descriptors: tuple[int, ...]
    gpus: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go in this process (another that inherited the descriptors goes on holding)."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()


def take(
    root: Path, max_runs: int | None, gpus_wanted: int = 1, visible: str | None = None
) -> Held | None:
    """Hold a slot, and ``gpus_wanted`` GPUs where the machine has any; None when all are taken.

    ``visible`` is the job's own CUDA_VISIBLE_DEVICES, which bounds what it may get. Who wants no
    GPU takes a slot, as on a machine without.
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
    """``uuids`` as far as ``visible`` (the value of CUDA_VISIBLE_DEVICES) lets them be used.

    As CUDA reads it: indices or UUID prefixes; the first that is neither ends the list.
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
    """This machine's GPUs: UUID to model. As the driver lists them in /proc, else by nvidia-smi."""
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
    """(UUID, model) of each GPU; asked once a process, and only where there is a driver.

    For systems whose /proc does not tell of GPUs: WSL, some sandboxes.
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
