"""Count processes that the kernel's OOM killer ended in our control group (Linux; Python 3.6+).

Each control group counts them: in ``memory.oom_control`` of version 1,
``memory.events`` of version 2 (https://docs.kernel.org/admin-guide/cgroup-v1/memory.html,
https://docs.kernel.org/admin-guide/cgroup-v2.html).
"""

import os

_ROOT = "/sys/fs/cgroup"
#: the count when ``start_counting`` was called
_count_at_start: "list[int]" = []


def start_counting() -> None:
    """Remember the current count."""
    _count_at_start[:] = [kill_count()]


def killed_since_start() -> int:
    """How many processes were OOM-killed since ``start_counting``; 0 if unknown."""
    return kill_count() - _count_at_start[0] if _count_at_start else 0


def kill_count() -> int:
    """How many processes of this control group were OOM-killed so far; 0 if unknown."""
    try:
        with open("/proc/self/cgroup") as handle:
            groups = [line.rstrip("\n").split(":", 2) for line in handle]
    except OSError:
        return 0
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return _read_count(os.path.join(_ROOT, "memory"), path, "memory.oom_control")
    return sum(
        _read_count(_ROOT, path, "memory.events") for number, _, path in groups if number == "0"
    )


def _read_count(root: str, path: str, name: str) -> int:
    """The value of ``oom_kill``; a container may see its own group as the root."""
    for folder in (root + path, root):
        try:
            with open(os.path.join(folder, name)) as handle:
                counts = dict(line.split() for line in handle)
            return int(counts.get("oom_kill", 0))
        except (OSError, ValueError):
            continue
    return 0
