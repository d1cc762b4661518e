"""Checks whether a Slurm cluster accepts jobs: commands, nodes, account, and one node's access."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from scriptrun.engines.base import check_options
from scriptrun.engines.checks import MIN_FREE_BYTES, Check, Site, guarded
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.engines.transport import CommandResult, LocalTransport, SshTransport, Transport
from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.engines.slurm.engine import Slurm

#: seconds to wait for a free node, and for its answer
NODE_WAIT, ANSWER_TIMEOUT = 20, 60.0

#: run on the login node: creates the root and a file in it; prints free kilobytes and the quota
_ROOT_SCRIPT = """\
mkdir -p "$1" && : > "$1/$2" || exit 9
df -Pk "$1" | awk 'NR == 2 {print $4}'
quota -s 2>/dev/null | tail -n 1
"""
#: run on a node: whether it sees that file, its Python version, and whether it reaches the package
#: index $3:$4 (without an index: whether it has a default route)
_NODE_SCRIPT = """\
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
    transport: Transport = SshTransport(engine.ssh) if engine.ssh else LocalTransport()
    command_checks = list(guarded("slurm", lambda: [_check_commands(transport)]))
    yield from command_checks
    if any(check.verdict == "bad" for check in command_checks):
        return
    yield from guarded("options", lambda: [check_options(engine)])
    state_checks = list(guarded("nodes", lambda: [_check_nodes(transport, engine)]))
    yield from state_checks
    account_checks = list(guarded("account", lambda: [_check_account(transport, engine)]))
    yield from account_checks
    root = site.root()
    tool_checks = list(guarded("tool", site.tool))
    yield from tool_checks
    has_tool = all(tool_check.verdict == "ok" for tool_check in tool_checks)
    python = engine.python or (site.python() if has_tool else "python3")
    name = f".scriptrun-check-{files.unique(8)}"
    try:
        yield from guarded("root", lambda: [_check_root(transport, root, name)])
        if all(state_check.verdict == "ok" for state_check in state_checks):
            arguments = [f"{root}/{name}", python, *site.index()]
            access_checks = list(
                guarded("a node", lambda: _check_node(transport, engine, arguments))
            )
            account_failed = any(
                account_check.verdict == "bad" for account_check in account_checks
            )  # srun would only repeat the error
            yield from (
                access_check
                for access_check in access_checks
                if not (account_failed and access_check.name == "a node")
            )
    finally:
        transport.run(["rm", "-f", f"{root}/{name}"])


def _check_commands(transport: Transport) -> Check:
    result = transport.run(["sinfo", "--version"])
    if result.code:
        hint = "Install Slurm's client tools there, or set a login node with --ssh."
        return Check("slurm", "bad", f"sinfo failed on {transport.machine}", hint)
    version = result.text.strip()
    ping = transport.run(["sinfo", "--noheader", "--format=%P"])
    if ping.code:
        hint = "It may be down for maintenance or behind a firewall. Check: scontrol ping"
        message = f"{version} on {transport.machine}; the controller does not respond"
        return Check("slurm", "bad", f"{message}: {ping.error_line}", hint)
    return Check("slurm", "ok", f"{version} on {transport.machine}")


def _slurm_options(engine: SlurmOptions) -> list[str]:
    options = {
        "partition": engine.partition,
        "account": engine.account,
        "qos": engine.qos,
        "constraint": engine.constraint,
        "gres": engine.gres,
    }
    return [f"--{name}={value}" for name, value in options.items() if value]


def _check_account(transport: Transport, engine: SlurmOptions) -> Check:
    """Ask Slurm whether it would accept a job with the target's options."""
    argv = ["sbatch", "--test-only", *_slurm_options(engine), *engine.extra, "--wrap=true"]
    result = transport.run(argv)
    message = result.error_line.removeprefix("sbatch: ")
    if result.code:
        return Check("account", "bad", f"Slurm rejects jobs: {message}", _rejection_hint(message))
    return Check("account", "ok", "partition, account and QOS accepted")


def _rejection_hint(message: str) -> str:
    """How to fix what sbatch complains about."""
    if "option" in message or ("nvalid" in message and "argument" in message):
        return "Change the target's extra options: scriptrun compute set ... --extra"
    if "onfiguration" in message or "feature" in message:
        fields = "%P %D %t %c %m %G %f"
        return (
            f"No available node has it. To list node resources, run: sinfo -o {shlex.quote(fields)}"
        )
    hint = "Use a partition, account or QOS that you have access to: sacctmgr show "
    return f"{hint}assoc user=$USER"


def _check_nodes(transport: Transport, engine: SlurmOptions) -> Check:
    """Count the nodes for the target's jobs, and name those that are unavailable."""
    options = [f"--partition={engine.partition}"] if engine.partition else []
    result = transport.run(["sinfo", "--noheader", *options, "--format=%P|%t|%D|%E"])
    if result.code:
        return Check("nodes", "bad", f"sinfo failed: {result.error_line}")
    rows = [line.split("|", 3) for line in result.text.splitlines() if line.count("|") >= 3]
    matching = [row for row in rows if engine.partition or row[0].endswith("*")]
    usable = sum(
        int(row[2]) for row in matching if row[1].startswith(_USABLE) and row[1][-1] != "*"
    )
    unavailable = [
        f"{row[2]} {row[1]}" + (f" ({row[3]})" if row[3] not in ("none", "") else "")
        for row in matching
        if not row[1].startswith(_USABLE) or row[1][-1] == "*"
    ]
    total = sum(int(row[2]) for row in matching)
    summary = f"{usable} of {total} up" + (f"; {', '.join(unavailable)}" if unavailable else "")
    if usable:
        return Check("nodes", "ok", summary)
    hint = "Jobs stay queued until an administrator resumes the nodes. Reasons: sinfo -R"
    return Check("nodes", "warning", f"0 of {total} up: {', '.join(unavailable)}", hint)


def _check_root(transport: Transport, root: str, name: str) -> Check:
    result = transport.run(["sh", "-c", _ROOT_SCRIPT, "check", root, name])
    if result.code:
        hint = "Set a writable directory on a file system that all nodes share: --root DIR"
        return Check("root", "bad", f"cannot write {root!r}: {result.error_line}", hint)
    lines = result.text.strip().splitlines()
    free = int(lines[0]) * 1024 if lines and lines[0].isdigit() else 0
    quota = f"; quota: {' '.join(lines[1].split())}" if len(lines) > 1 else ""
    summary = f"{root}, {free / 1e9:.1f} GB free{quota}"
    if free < MIN_FREE_BYTES:
        return Check("root", "warning", summary, "Make room: environments and outputs go there.")
    return Check("root", "ok", summary)


def _check_node(
    transport: Transport, engine: SlurmOptions, arguments: list[str]
) -> Iterator[Check]:
    """Check from a node; ``arguments``: a file in the root, the launcher's Python, the index."""
    argv = ["srun", f"--immediate={NODE_WAIT}", "--nodes=1", "--ntasks=1", "--time=1", "--mpi=none"]
    argv += [*_slurm_options(engine), "--chdir=/", "sh", "-c", _NODE_SCRIPT, "check", *arguments]
    result = transport.run(argv, timeout=ANSWER_TIMEOUT + NODE_WAIT)
    if result.code:
        yield _failed_srun_check(result)
        return
    facts = dict(line.split(" ", 1) for line in result.text.splitlines() if " " in line)
    node, root = facts.get("node", "a node"), arguments[0].rpartition("/")[0]
    if facts.get("sees") == "yes":
        yield Check("shared paths", "ok", f"{node} can access {root}")
    else:
        hint = "Set a directory on a file system that all nodes mount: --root DIR"
        yield Check("shared paths", "bad", f"{node} cannot access {root}", hint)
    yield _check_python(node, facts.get("python", ""), arguments[1])
    yield _check_internet(node, facts.get("way", "no"), arguments[2], engine.own_environments)


def _check_internet(node: str, access: str, index: str, required: bool) -> Check:
    """Whether a node reaches the package index; ``required`` if environments are built on nodes."""
    if access == "proxy":
        return Check("internet", "ok", f"{node} uses a proxy")
    if access == "yes":
        return Check(
            "internet", "ok", f"{node} {f'can reach {index}' if index else 'has internet access'}"
        )
    summary = f"{node} {f'cannot reach {index}' if index else 'has no internet access'}"
    if not required:
        note = "not required; environments are built where jobs are submitted"
        return Check("internet", "ok", f"{summary}; {note}")
    hint = (
        "Remove own_environments, or give nodes access to a package index (proxy, PIP_INDEX_URL)."
    )
    return Check("internet", "bad", f"{summary}, but environments are built there", hint)


def _failed_srun_check(result: CommandResult) -> Check:
    output = result.error_line.lower()
    if any(word in output for word in ("immediate", "busy", "temporarily unavailable")):
        hint = "No node was checked. Try again when one is free."
        return Check("a node", "warning", f"no node free within {NODE_WAIT} s", hint)
    message = result.error_line.removeprefix("srun: ").removeprefix("error: ")
    hint = "No node was checked. Try manually: srun hostname"
    return Check("a node", "bad", f"srun failed: {message}", hint)


def _check_python(node: str, version: str, python: str) -> Check:
    if not version:
        hint = "Set Python 3.8 or newer for the launcher: --python /path/to/python3"
        return Check("python", "bad", f"{node} has no {python}", hint)
    if tuple(map(int, version.split(".")[:2])) < (3, 8):
        hint = "Set a newer Python for the launcher: --python /path/to/python3"
        return Check(
            "python", "bad", f"{python} on {node} is {version}; 3.8 or newer is required", hint
        )
    return Check("python", "ok", f"{python} on {node} is {version}")
