"""Start and end processes without threads, shells or heavy imports (Python 3.8+, POSIX)."""

import errno
import os
import select
import signal
import time

from . import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ctypes import CDLL

    from scriptrun.runtime.hints import StrPath
    from scriptrun.runtime.process_record import ProcessRecord


_PR_SET_CHILD_SUBREAPER = 36
#: names of the processes that manage runs and the queue. They may be descendants of a script that
#: submits runs, and must not be ended with it.
GUARD, RUNNER, LAUNCHER = "scriptrun-guard", "scriptrun-queue", "scriptrun-run"
#: the helper that serves a job's data: it ends with its launcher
DATA = "scriptrun-data"
#: the driver of a sweep
SWEEP = "scriptrun-sweep"
#: what reports the ends of runs to the user
NOTIFIER = "scriptrun-alert"
#: what finishes the replacement of a service's run
SERVICE = "scriptrun-serve"
#: rootless podman's pause process, shared by all containers; it belongs to no run
_PAUSE = (b"catatonit", b"podman pause")
_KEEPERS = (
    *(name.encode() for name in (GUARD, RUNNER, DATA, SWEEP, NOTIFIER, SERVICE)),
    *_PAUSE,
)


_libc: "list[CDLL]" = []


def libc() -> "CDLL":
    """The C library, loaded once; a process that forks often loads it first."""
    if not _libc:
        import ctypes

        _libc.append(ctypes.CDLL(None, use_errno=True))
    return _libc[0]


def become_subreaper() -> bool:
    """Adopt orphaned descendants (Linux); False if unavailable."""
    try:
        return bool(libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def await_name(pid: int, name: str, seconds: float = 30.0) -> None:
    """Wait until the process ``pid`` has set its name to ``name``, or is gone (Linux).

    For a helper started within a job, which would otherwise be ended as a leftover of the script.
    """
    deadline = time.monotonic() + seconds
    while program_name(pid) not in ("", name) and time.monotonic() < deadline:
        time.sleep(0.005)


def in_job() -> bool:
    """Whether this process is part of a job."""
    return any(name in os.environ for name in identity.JOB_VARIABLES)


def open_wakeup_pipe() -> int:
    """A descriptor that becomes readable when a child ends."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def sleep_until_wakeup(wake: int, seconds: float) -> None:
    """Sleep for ``seconds``, or until the wakeup pipe ``wake`` signals that a child has ended."""
    ready, _, _ = select.select([wake], [], [], seconds)
    if ready:
        os.read(wake, 4096)


def spawn(argv: "list[str]", cwd: str, environ: "Mapping[str, str]", output: int) -> int:
    """Start ``argv`` as the leader of its own session and return its pid.

    ``output`` is the descriptor for stdout and stderr; stdin is empty. Raises OSError, with the
    file's name, if the program cannot be executed. Uses posix_spawn, which copies no page tables;
    it has no working directory option, so this process changes directory temporarily.
    """
    actions: "list[tuple[object, ...]]" = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    default_signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1)
    os.chdir(cwd)
    try:
        return spawn_leader(argv, environ, actions, default_signals)
    except ValueError as error:  # a NUL in an argument or a variable
        raise OSError(errno.EINVAL, str(error), argv[0]) from None
    finally:
        os.chdir("/")


def spawn_leader(
    argv: "list[str]",
    environ: "Mapping[str, str]",
    actions: "list[tuple[object, ...]]",
    defaults: "Iterable[signal.Signals]",
) -> int:
    """Start ``argv`` as a session leader and return its pid.

    ``actions`` are posix_spawn's file actions; the signals in ``defaults`` are reset.
    """
    try:
        return os.posix_spawn(
            argv[0],
            argv,
            environ,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=defaults,
        )
    except NotImplementedError:  # no setsid in this C library: use a process group
        return os.posix_spawn(
            argv[0],
            argv,
            environ,
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=defaults,
        )


def descendants(pid: "int | None" = None) -> "list[int]":
    """The pids of living descendants of ``pid`` (default: this process); empty without /proc.

    Guards and runners of other runs, and their descendants, are excluded.
    """
    children: "dict[int, list[tuple[int, bool]]]" = {}
    for name in _list_folder("/proc"):
        if name.isdigit():
            parent, command, lives = _status(name)
            if parent is not None and command not in _KEEPERS:
                children.setdefault(parent, []).append((int(name), lives))
    pids: "list[int]" = []
    pending = [os.getpid() if pid is None else pid]
    # through dead processes too: a child may have been listed just before its parent died
    while pending:
        below = children.get(pending.pop(), [])
        pids.extend(child for child, lives in below if lives)
        pending.extend(child_pid for child_pid, _ in below)
    return pids


def parent_of(pid: int) -> "int | None":
    """The parent of the living process ``pid``; None if it has ended."""
    parent, _, lives = _status(str(pid))
    return parent if lives else None


def is_below(pid: int) -> bool:
    """Whether ``pid`` is a descendant of this process, so that it may be signalled."""
    # twice: a process between the two may end while its parent is looked up
    return any(os.getpid() in _ancestors(pid) for _ in range(2))


def _ancestors(pid: int) -> "list[int]":
    ancestors = [pid]
    while ancestors[-1] > 1 and len(ancestors) < 4096:
        parent = parent_of(ancestors[-1])
        if parent is None:
            break
        ancestors.append(parent)
    return ancestors[1:]


def children(pid: int) -> "list[int]":
    """The pids of the living children of ``pid``."""
    statuses = [(int(name), _status(name)) for name in _list_folder("/proc") if name.isdigit()]
    return [child for child, (parent, _, lives) in statuses if parent == pid and lives]


def pids_in_namespaces(pid: int) -> "list[int]":
    """The pids of process ``pid`` in nested namespaces, outermost first (Linux)."""
    try:
        with open("/proc/{}/status".format(pid)) as handle:
            lines = [line.split()[1:] for line in handle if line.startswith("NSpid:")]
    except OSError:
        return []
    return [int(number) for line in lines for number in line]


def _list_folder(path: str) -> "list[str]":
    try:
        return os.listdir(path)
    except OSError:
        return []


def _status(pid: str) -> "tuple[int | None, bytes, bool]":
    """The parent of ``pid`` (None if gone), its name, and whether it is alive."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as handle:
            head, _, tail = handle.read().rpartition(b")")
    except OSError:
        return None, b"", False
    fields = tail.split()
    return int(fields[1]), head.partition(b"(")[2], fields[0] not in (b"Z", b"X")


def pids_of_run(folder: "StrPath", since: "str | None" = None) -> "list[int]":
    """The pids of this user's processes that started with the run's folder in their environment.

    This finds them even after init has adopted them; empty without /proc. ``since`` is the start
    time of the run's guard: what started before that is not of the run.
    """
    marker = b"\0SCRIPTRUN_RUN_FOLDER=" + os.fsencode(str(folder)) + b"\0"
    pids = []
    for name in _list_folder("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open("/proc/{}/environ".format(name), "rb") as handle:
                owner = os.fstat(handle.fileno()).st_uid
                environ = b"\0" + handle.read() + b"\0"
        except OSError:
            continue
        if marker not in environ or owner != os.geteuid():
            continue
        is_keeper = _status(name)[1] in _KEEPERS + (LAUNCHER.encode(),)
        if not is_keeper and _started_since(int(name), since):
            pids.append(int(name))
    return pids


def _started_since(pid: int, since: "str | None") -> bool:
    start = identity.start_time(pid)
    return not since or start is None or int(start) >= int(since)


def end_run(record: "ProcessRecord", seconds: float = 20.0) -> None:
    """Kill what the user's private ``record`` names of a run whose launcher and guard are gone."""
    deadline = time.monotonic() + seconds
    while True:
        for group in record.living_scripts():
            end_group(group, signal.SIGKILL)
        remaining = pids_of_run(record.folder, record.since)
        for pid in remaining:
            send(pid, signal.SIGKILL)
        if (not remaining and not pids_of_run(record.folder, record.since)) or (
            time.monotonic() > deadline
        ):
            return
        time.sleep(0.01)


def end_group(group: int, number: int) -> None:
    """Send signal ``number`` to the process group; ignore it if it is gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def end_descendants(number: int, groups: "Iterable[int]" = ()) -> "list[int]":
    """Send signal ``number`` to all descendants and to ``groups``; return the descendants' pids."""
    for group in groups:
        end_group(group, number)
    pids = descendants()
    for pid in pids:
        send(pid, number)
    return pids


def send(pid: int, number: int) -> None:
    """Send signal ``number`` to the process; ignore it if it is gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def clear_descendants(groups: "Iterable[int]" = (), patience: float = 1.0) -> "list[str]":
    """End all remaining descendants: SIGTERM, then SIGKILL after ``patience`` seconds.

    Returns the names of the programs that were still running. Only a subreaper sees orphans.
    """
    if not os.path.isdir("/proc/self"):
        return _clear_groups(groups, patience)
    if not _any_left():
        return []
    names = [name for name in map(program_name, descendants()) if name]
    end_descendants(signal.SIGTERM, groups)
    if _all_ended_within(patience):
        return names
    for _ in range(400):  # repeatedly, as processes may fork meanwhile
        end_descendants(signal.SIGKILL, groups)
        if _all_ended_within(0.05):
            break
    return names


def _all_ended_within(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _any_left():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _clear_groups(groups: "Iterable[int]", patience: float) -> "list[str]":
    """End the script's process groups, where orphans cannot be adopted (macOS)."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            try:
                os.killpg(group, number)
                time.sleep(patience)
            except (ProcessLookupError, PermissionError):
                pass
    return []


def _any_left() -> bool:
    """Reap ended children; return whether living descendants remain."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:  # check twice: parents may change while /proc is read
            return bool(descendants() or descendants())


def program_name(pid: int) -> str:
    """The short name of the program that runs as ``pid``; "" if it is gone."""
    try:
        with open("/proc/{}/comm".format(pid)) as handle:
            return handle.read().strip()
    except OSError:
        return ""


def signal_name(number: int) -> str:
    """The name of a signal: "SIGKILL" for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal {}".format(number)
