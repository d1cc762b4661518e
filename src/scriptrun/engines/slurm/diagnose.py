"""Checks whether a Slurm cluster accepts jobs: commands, nodes, account, and one node's access."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from scriptrun.engines.base import options_check
from scriptrun.engines.checks import ROOM, Check, Site, guarded
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.engines.transport import Done, Here, Ssh, Transport
from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.engines.slurm.engine import Slurm

#: seconds to wait for a free node, and for its answer
AT_ONCE, ANSWERED = 20, 60.0

#: run on the login node: creates the root and a file in it; prints free kilobytes and the quota
_ROOT = """\
mkdir -p "$1" && : > "$1/$2" || exit 9
df -Pk "$1" | awk 'NR == 2 {print $4}'
quota -s 2>/dev/null | tail -n 1
"""
#: run on a node: whether it sees that file, its Python version, and whether it reaches the package
#: index $3:$4 (without an index: whether it has a default route)
_NODE = """\
echo node "$SLURMD_NODENAME"
[ -e "$1" ] && echo sees yes || echo sees no
"$2" -c 'import sys; print("python", "%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
[ -n "$https_proxy$HTTPS_PROXY" ] && echo way proxy && exit 0
[ -z "$3" ] && awk '$2 == "00000000" {found = 1}
    END {print found ? "way yes" : "way no"}' /proc/net/route && exit 0
python=$2; "$python" -c '' 2>/dev/null || python=python3
timeout 8 "$python" -c 'import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 4)' "$3" "$4" 2>/dev/null &&
echo way yes || echo way no
"""
#: states of nodes that accept jobs, now or once others have ended (man sinfo: node state codes)
_USABLE = ("idle", "mix", "alloc", "comp", "plnd", "resv")


def checks(engine: Slurm, site: Site) -> Iterator[Check]:
    """Run the checks one by one and yield each as it finishes."""
    transport: Transport = Ssh(engine.ssh) if engine.ssh else Here()
    found = list(guarded("slurm", lambda: [_commands(transport)]))
    yield from found
    if any(each.verdict == "bad" for each in found):
        return
    yield from guarded("options", lambda: [options_check(engine)])
    there = list(guarded("nodes", lambda: [_states(transport, engine)]))
    yield from there
    taken = list(guarded("account", lambda: [_account(transport, engine)]))
    yield from taken
    root = site.root()
    tool = list(guarded("tool", site.tool))
    yield from tool
    has_tool = all(each.verdict == "ok" for each in tool)
    python = engine.python or (site.python() if has_tool else "python3")
    name = f".scriptrun-check-{files.unique(8)}"
    try:
        yield from guarded("root", lambda: [_root(transport, root, name)])
        if all(each.verdict == "ok" for each in there):
            order = [f"{root}/{name}", python, *site.index()]
            seen = list(guarded("a node", lambda: _node(transport, engine, order)))
            told = any(each.verdict == "bad" for each in taken)  # srun would only repeat the error
            yield from (each for each in seen if not (told and each.name == "a node"))
    finally:
        transport.run(["rm", "-f", f"{root}/{name}"])


def _commands(transport: Transport) -> Check:
    done = transport.run(["sinfo", "--version"])
    if done.code:
        hint = "Install Slurm's client tools there, or set a login node with --ssh."
        return Check("slurm", "bad", f"sinfo failed on {transport.place}", hint)
    version = done.text.strip()
    ping = transport.run(["sinfo", "--noheader", "--format=%P"])
    if ping.code:
        hint = "It may be down for maintenance or behind a firewall. Check: scontrol ping"
        said = f"{version} on {transport.place}; the controller does not respond"
        return Check("slurm", "bad", f"{said}: {ping.complaint}", hint)
    return Check("slurm", "ok", f"{version} on {transport.place}")


def _asked(engine: SlurmOptions) -> list[str]:
    asked = {
        "partition": engine.partition,
        "account": engine.account,
        "qos": engine.qos,
        "constraint": engine.constraint,
        "gres": engine.gres,
    }
    return [f"--{name}={value}" for name, value in asked.items() if value]


def _account(transport: Transport, engine: SlurmOptions) -> Check:
    """Ask Slurm whether it would accept a job with the target's options."""
    argv = ["sbatch", "--test-only", *_asked(engine), *engine.extra, "--wrap=true"]
    done = transport.run(argv)
    said = done.complaint.removeprefix("sbatch: ")
    if done.code:
        return Check("account", "bad", f"Slurm rejects jobs: {said}", _what_to_do(said))
    return Check("account", "ok", "partition, account and QOS accepted")


def _what_to_do(said: str) -> str:
    """How to fix what sbatch complains about."""
    if "option" in said or ("nvalid" in said and "argument" in said):
        return "Change the target's extra options: scriptrun compute set ... --extra"
    if "onfiguration" in said or "feature" in said:
        fields = "%P %D %t %c %m %G %f"
        return (
            f"No available node has it. To list node resources, run: sinfo -o {shlex.quote(fields)}"
        )
    hint = "Use a partition, account or QOS that you have access to: sacctmgr show "
    return f"{hint}assoc user=$USER"


def _states(transport: Transport, engine: SlurmOptions) -> Check:
    """Count the nodes for the target's jobs, and name those that are unavailable."""
    asked = [f"--partition={engine.partition}"] if engine.partition else []
    done = transport.run(["sinfo", "--noheader", *asked, "--format=%P|%t|%D|%E"])
    if done.code:
        return Check("nodes", "bad", f"sinfo failed: {done.complaint}")
    rows = [line.split("|", 3) for line in done.text.splitlines() if line.count("|") >= 3]
    mine = [row for row in rows if engine.partition or row[0].endswith("*")]
    usable = sum(int(row[2]) for row in mine if row[1].startswith(_USABLE) and row[1][-1] != "*")
    out = [
        f"{row[2]} {row[1]}" + (f" ({row[3]})" if row[3] not in ("none", "") else "")
        for row in mine
        if not row[1].startswith(_USABLE) or row[1][-1] == "*"
    ]
    total = sum(int(row[2]) for row in mine)
    said = f"{usable} of {total} up" + (f"; {', '.join(out)}" if out else "")
    if usable:
        return Check("nodes", "ok", said)
    hint = "Jobs stay queued until an administrator resumes the nodes. Reasons: sinfo -R"
    return Check("nodes", "warning", f"0 of {total} up: {', '.join(out)}", hint)


def _root(transport: Transport, root: str, name: str) -> Check:
    done = transport.run(["sh", "-c", _ROOT, "check", root, name])
    if done.code:
        hint = "Set a writable directory on a file system that all nodes share: --root DIR"
        return Check("root", "bad", f"cannot write {root!r}: {done.complaint}", hint)
    lines = done.text.strip().splitlines()
    free = int(lines[0]) * 1024 if lines and lines[0].isdigit() else 0
    quota = f"; quota: {' '.join(lines[1].split())}" if len(lines) > 1 else ""
    said = f"{root}, {free / 1e9:.1f} GB free{quota}"
    if free < ROOM:
        return Check("root", "warning", said, "Make room: environments and outputs go there.")
    return Check("root", "ok", said)


def _node(transport: Transport, engine: SlurmOptions, order: list[str]) -> Iterator[Check]:
    """Check from a node; ``order``: a file in the root, the launcher's Python, the index."""
    argv = ["srun", f"--immediate={AT_ONCE}", "--nodes=1", "--ntasks=1", "--time=1", "--mpi=none"]
    argv += [*_asked(engine), "--chdir=/", "sh", "-c", _NODE, "check", *order]
    done = transport.run(argv, timeout=ANSWERED + AT_ONCE)
    if done.code:
        yield _no_node(done)
        return
    facts = dict(line.split(" ", 1) for line in done.text.splitlines() if " " in line)
    node, root = facts.get("node", "a node"), order[0].rpartition("/")[0]
    if facts.get("sees") == "yes":
        yield Check("shared paths", "ok", f"{node} can access {root}")
    else:
        hint = "Set a directory on a file system that all nodes mount: --root DIR"
        yield Check("shared paths", "bad", f"{node} cannot access {root}", hint)
    yield _python(node, facts.get("python", ""), order[1])
    yield _way(node, facts.get("way", "no"), order[2], engine.own_environments)


def _way(node: str, way: str, index: str, needed: bool) -> Check:
    """Whether a node reaches the package index; ``needed`` if environments are built on nodes."""
    if way == "proxy":
        return Check("internet", "ok", f"{node} uses a proxy")
    if way == "yes":
        return Check(
            "internet", "ok", f"{node} {f'can reach {index}' if index else 'has internet access'}"
        )
    said = f"{node} {f'cannot reach {index}' if index else 'has no internet access'}"
    if not needed:
        note = "not required; environments are built where jobs are submitted"
        return Check("internet", "ok", f"{said}; {note}")
    hint = (
        "Remove own_environments, or give nodes access to a package index (proxy, PIP_INDEX_URL)."
    )
    return Check("internet", "bad", f"{said}, but environments are built there", hint)


def _no_node(done: Done) -> Check:
    told = done.complaint.lower()
    if any(word in told for word in ("immediate", "busy", "temporarily unavailable")):
        hint = "No node was checked. Try again when one is free."
        return Check("a node", "warning", f"no node free within {AT_ONCE} s", hint)
    words = done.complaint.removeprefix("srun: ").removeprefix("error: ")
    hint = "No node was checked. Try manually: srun hostname"
    return Check("a node", "bad", f"srun failed: {words}", hint)


def _python(node: str, version: str, python: str) -> Check:
    if not version:
        hint = "Set Python 3.8 or newer for the launcher: --python /path/to/python3"
        return Check("python", "bad", f"{node} has no {python}", hint)
    if tuple(map(int, version.split(".")[:2])) < (3, 8):
        hint = "Set a newer Python for the launcher: --python /path/to/python3"
        return Check(
            "python", "bad", f"{python} on {node} is {version}; 3.8 or newer is required", hint
        )
    return Check("python", "ok", f"{python} on {node} is {version}")
