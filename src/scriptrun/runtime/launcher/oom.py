"""Count processes that the kernel's OOM killer ended in our control group (Linux; Python 3.6+).

Each control group counts them: in ``memory.oom_control`` of version 1,
``memory.events`` of version 2 (https://docs.kernel.org/admin-guide/cgroup-v1/memory.html,
https://docs.kernel.org/admin-guide/cgroup-v2.html).
"""

import os

_ROOT = "/sys/fs/cgroup"
#: the count when ``start_counting`` was called
_before: "list[int]" = []


def begin() -> None:
    """Remember the current count."""
    _before[:] = [so_far()]


def ended() -> int:
    """How many processes were OOM-killed since ``start_counting``; 0 if unknown."""
    return so_far() - _before[0] if _before else 0


def so_far() -> int:
    """How many processes of this control group were OOM-killed so far; 0 if unknown."""
    try:
        with open("/proc/self/cgroup") as handle:
            groups = [line.rstrip("\n").split(":", 2) for line in handle]
    except OSError:
        return 0
    for _, kinds, path in groups:
        if "memory" in kinds.split(","):
            return _told(os.path.join(_ROOT, "memory"), path, "memory.oom_control")
    return sum(_told(_ROOT, path, "memory.events") for number, _, path in groups if number == "0")


def _told(root: str, path: str, name: str) -> int:
    """The value of ``oom_kill``; a container may see its own group as the root."""
    for folder in (root + path, root):
        try:
            with open(os.path.join(folder, name)) as handle:
                facts = dict(line.split() for line in handle)
            return int(facts.get("oom_kill", 0))
        except (OSError, ValueError):
            continue
    return 0
