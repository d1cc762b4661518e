"""For how long something stands still, over several looks and processes."""

from __future__ import annotations

import json

from scriptrun.store import paths
from scriptrun.store.locks import silence


def test_looks_add_up_until_the_value_changes_or_the_machine_starts_anew(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    assert silence.seconds("/a/beat", [1, "x"]) == 0.0
    now[0] += 7
    assert silence.seconds("/a/beat", [1, "x"]) == 7.0
    assert silence.seconds("/another/beat", [1, "x"]) == 0.0
    assert silence.seconds("/a/beat", [2, "x"]) == 0.0
    now[0] += 5
    assert silence.seconds("/a/beat", [2, "x"]) == 5.0
    for path in paths.runtime_folder("seen").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "before"}))
    assert silence.seconds("/a/beat", [2, "x"]) == 0.0
