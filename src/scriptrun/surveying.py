"""What a compute target gives: each thing is looked at, and said in one line with what to do."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from scriptrun import distant, doctoring, outfit
from scriptrun.doctoring import Check
from scriptrun.engines.base import Engine
from scriptrun.engines.transport import Done, Here, Ssh, Transport
from scriptrun.home import Home
from scriptrun.runtime import files
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.hints import Any
from scriptrun.spec.job import JobSpec

#: seconds in which a node must be free, and in which it must have answered
AT_ONCE, ANSWERED = 20, 60.0

#: run on the login node: makes the root and a file in it; prints free kilobytes and the quota
_ROOT = """\
mkdir -p "$1" && : > "$1/$2" || exit 9
df -Pk "$1" | awk 'NR == 2 {print $4}'
quota -s 2>/dev/null | tail -n 1
"""
#: run on a node: whether it sees that file, its Python, and whether it has a way out
_NODE = """\
echo node "$SLURMD_NODENAME"
[ -e "$1" ] && echo sees yes || echo sees no
"$2" -c 'import sys; print("python", "%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
[ -n "$https_proxy$HTTPS_PROXY" ] && echo way by a proxy && exit 0
awk '$2 == "00000000" {found = 1} END {print found ? "way yes" : "way no"}' /proc/net/route
"""


def survey(workspace: Home, engine: Engine) -> Iterator[Check]:
    """Every check of the target, as it is made."""
    yield from _guarded("options", lambda: [_options(workspace, engine)])
    if type(engine).__name__ == "Slurm":
        yield from _slurm(workspace, engine)
    else:
        yield from _guarded("this machine", lambda: doctoring.of_machine(workspace))


def _options(workspace: Home, engine: Engine) -> Check:
    reasons = engine.check(JobSpec("check", "check", workspace.name, ""))
    if reasons:
        hint = f"Change them: scriptrun compute set {engine.name} ..."
        return Check("options", "bad", "; ".join(reasons), hint)
    return Check("options", "ok", f"{engine.name} can take jobs")


def _guarded(name: str, look: Callable[[], Any]) -> Iterator[Check]:
    try:
        yield from look()
    except ScriptrunError as error:
        yield Check(name, "bad", error.message, error.hint)


def _slurm(workspace: Home, engine: Any) -> Iterator[Check]:
    transport: Transport = Ssh(engine.ssh) if engine.ssh else Here()
    found = list(_guarded("slurm", lambda: [_commands(transport)]))
    yield from found
    if any(each.verdict == "bad" for each in found):
        return
    yield from _guarded("account", lambda: [_account(transport, engine)])
    root = engine.root or (outfit.ROOT if engine.ssh else str(workspace.root))
    if engine.ssh:
        root = outfit.absolute(transport, root)
        yield from _guarded("tool", lambda: [_tool(engine)])
    name = f".scriptrun-check-{files.unique(8)}"
    try:
        yield from _guarded("root", lambda: [_root(transport, root, name)])
        yield from _guarded("nodes", lambda: _nodes(transport, engine, root, name))
    finally:
        transport.run(["rm", "-f", f"{root}/{name}"])


def _commands(transport: Transport) -> Check:
    done = transport.run(["sinfo", "--version"])
    if done.code:
        hint = "Install Slurm's clients there, or name a login node with --ssh."
        return Check("slurm", "bad", f"sinfo does not work on {transport.place}", hint)
    return Check("slurm", "ok", f"{done.text.strip()} on {transport.place}")


def _asked(engine: Any) -> list[str]:
    named = ("partition", "account", "qos", "constraint", "gres")
    return [f"--{name}={getattr(engine, name)}" for name in named if getattr(engine, name)]


def _account(transport: Transport, engine: Any) -> Check:
    """Slurm itself says whether it would take a job with the target's options."""
    argv = ["sbatch", "--test-only", *_asked(engine), *engine.extra, "--wrap=true"]
    done = transport.run(argv)
    said = done.complaint.removeprefix("sbatch: ")
    if done.code:
        hint = "Ask for a partition, account or quality of service that you have: sacctmgr show "
        return Check(
            "account", "bad", f"Slurm would refuse a job: {said}", f"{hint}assoc user=$USER"
        )
    return Check("account", "ok", "partition, account and quality of service are accepted")


def _tool(engine: Any) -> Check:
    answer = distant.version(engine)
    return Check("tool", "ok", f"Python {answer['python']} with scriptrun in {answer['prefix']}")


def _root(transport: Transport, root: str, name: str) -> Check:
    done = transport.run(["sh", "-c", _ROOT, "check", root, name])
    if done.code:
        hint = "Name a directory that you may write and all nodes see: --root DIR."
        return Check("root", "bad", f"{root} cannot be written: {done.complaint}", hint)
    lines = done.text.strip().splitlines()
    free = int(lines[0]) * 1024 if lines and lines[0].isdigit() else 0
    quota = f"; quota: {' '.join(lines[1].split())}" if len(lines) > 1 else ""
    said = f"{root}, {free / 1e9:.1f} GB free{quota}"
    if free < doctoring.ROOM:
        return Check("root", "warning", said, "Make room: environments and outputs go there.")
    return Check("root", "ok", said)


def _nodes(transport: Transport, engine: Any, root: str, name: str) -> Iterator[Check]:
    python = engine.python or "python3"
    argv = ["srun", f"--immediate={AT_ONCE}", "--nodes=1", "--ntasks=1", "--time=1", "--mpi=none"]
    argv += [*_asked(engine), "--chdir=/", "sh", "-c", _NODE, "check", f"{root}/{name}", python]
    done = transport.run(argv, timeout=ANSWERED + AT_ONCE)
    if done.code:
        yield _no_node(done)
        return
    facts = dict(line.split(" ", 1) for line in done.text.splitlines() if " " in line)
    node = facts.get("node", "a node")
    if facts.get("sees") == "yes":
        yield Check("shared paths", "ok", f"{node} sees {root}")
    else:
        hint = "Name a directory on a file system that all nodes mount: --root DIR."
        yield Check("shared paths", "bad", f"{node} does not see {root}", hint)
    yield _python(node, facts.get("python", ""), python)
    way = facts.get("way", "no")
    said = {"yes": "has a way out", "by a proxy": "goes out by a proxy"}.get(way, "has no way out")
    note = "" if way != "no" else "; environments are built on the login node, so none is needed"
    yield Check("internet", "ok", f"{node} {said}{note}")


def _no_node(done: Done) -> Check:
    if "Unable to allocate resources" in done.complaint or "immediate" in done.complaint.lower():
        hint = "The nodes were not looked at: try again when one is free."
        return Check("nodes", "warning", f"no node was free within {AT_ONCE} s", hint)
    hint = f"Try: srun {shlex.join(['hostname'])}"
    return Check("nodes", "bad", f"srun did not work: {done.complaint}", hint)


def _python(node: str, version: str, python: str) -> Check:
    if not version:
        hint = "Name one for the launcher, 3.8 or newer: --python /path/to/python3."
        return Check("python", "bad", f"{node} has no {python}", hint)
    if tuple(map(int, version.split(".")[:2])) < (3, 8):
        hint = "Name a newer one for the launcher: --python /path/to/python3."
        return Check("python", "bad", f"{python} on {node} is {version}, and 3.8 is needed", hint)
    return Check("python", "ok", f"{python} on {node} is {version}")
