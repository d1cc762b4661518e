"""The job's other nodes, according to their files in the attempt's folder (Python 3.8+)."""

import os
import time

from .. import files, identity, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder


#: seconds between checks of the other nodes; seconds without a heartbeat until one is lost
CHECK_SECONDS, SILENCE_SECONDS = 1.0, 300.0
#: maximum seconds by which a node's loss is noticed later than the failures it causes elsewhere
LOSS_DELAY = 3.0


class Peers:
    """The other nodes of the attempt of ``order``."""

    def __init__(self, order: "LaunchOrder") -> None:
        self.folder = results.attempt_folder(order.folder, order.attempt)
        self.node, self.nodes = order.node, order.nodes
        self.others = [node for node in range(self.nodes) if node != self.node]
        #: results of ended nodes, and reasons of lost ones, by node
        self.ended: "dict[int, Json]" = {}
        self.lost: "dict[int, str]" = {}
        #: whether this node has no processes itself (its ranks run below node 0's mpirun)
        self.only_waits = False
        self._next_check = 0.0
        self._owners: "dict[int, dict[str, Json]]" = {}
        self._heartbeats: "dict[int, tuple[bytes, float]]" = {}

    def must_wait(self) -> bool:
        """Whether this node has no processes and must stay until node 0 has ended."""
        return self.only_waits and 0 not in self.ended

    def find_problem(self) -> str:
        """Why this node has to stop because of another; "" if it does not."""
        names = self._file_names()
        for node in self.others:
            if node not in self.ended and "node-{}.json".format(node) in names:
                self._read_result(node)
        for node, value in self.ended.items():
            if value.get("state") != results.COMPLETED:
                return "node {} stopped: {}".format(node, value.get("reason") or "it finished")
        if "result.json" in names:
            return "the run was stopped externally"
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._find_lost()
        return next(iter(self.lost.values()), "")

    def all_idle(self) -> bool:
        """Announce that only servers run here; whether all others have ended or did the same."""
        idle = os.path.join(self.folder, "node-{}.idle".format(self.node))
        files.publish(idle, b"{}\n", durable=False)
        names = self._file_names()
        patterns = ("node-{}.idle", "node-{}.json")
        return all(any(mark.format(node) in names for mark in patterns) for node in self.others)

    def wait(self, seconds: "float | None" = None) -> None:
        """Wait until all other nodes have ended or are lost, or for ``seconds``."""
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.002
        while not set(self.others) <= set(self.ended) | set(self.lost):
            self.find_problem()
            if deadline is not None and time.monotonic() > deadline:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def _file_names(self) -> "set[str]":
        try:
            return set(os.listdir(self.folder))
        except OSError:
            return set()

    def _read_result(self, node: int) -> None:
        value = results.read_at(os.path.join(self.folder, "node-{}.json".format(node)))
        if value is not None:
            self.ended[node] = value

    def _find_lost(self) -> None:
        for node in self.others:
            if node in self.ended or node in self.lost:
                continue
            reason = self._loss_reason(node)
            if reason:
                self._read_result(node)  # it may have just ended
                if node not in self.ended:
                    self.lost[node] = "node {} is lost: {}".format(node, reason)

    def _loss_reason(self, node: int) -> str:
        owners = self._owners.setdefault(node, {})
        for kind in ("start", "ready"):
            if kind not in owners:
                self._read_owner(node, kind)
        if not owners:
            return ""  # it has not started yet
        local_owners = [owner for owner in owners.values() if identity.is_local(owner)]
        if not local_owners:
            return self._silence_reason(node)
        if any(identity.is_alive(owner) for owner in local_owners):
            return ""
        return "its launcher (process {pid} on {host}) is gone".format(**local_owners[-1])

    def _read_owner(self, node: int, kind: str) -> None:
        path = os.path.join(self.folder, "node-{}.{}.json".format(node, kind))
        value = files.read_object(path)
        owner = value.get("launcher") if value and kind == "ready" else value
        if owner is not None and identity.is_identity(owner):
            self._owners[node][kind] = owner

    def _silence_reason(self, node: int) -> str:
        try:
            path = os.path.join(self.folder, "node-{}.beat".format(node))
            heartbeat = files.read_bytes(path) or b""
        except OSError:
            heartbeat = b""
        now = time.monotonic()
        previous, since = self._heartbeats.setdefault(node, (heartbeat, now))
        if heartbeat != previous:
            self._heartbeats[node] = (heartbeat, now)
        elif now - since > SILENCE_SECONDS:
            return "no heartbeat for {:g} s".format(SILENCE_SECONDS)
        return ""
