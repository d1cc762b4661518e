"""For how long something stands still, over several looks and processes."""

from __future__ import annotations

import json

from scriptrun.store import places, stillness


def test_looks_add_up_until_the_value_changes_or_the_machine_starts_anew(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(stillness.time, "monotonic", lambda: now[0])
    assert stillness.seconds("/a/beat", [1, "x"]) == 0.0
    now[0] += 7
    assert stillness.seconds("/a/beat", [1, "x"]) == 7.0
    assert stillness.seconds("/another/beat", [1, "x"]) == 0.0
    assert stillness.seconds("/a/beat", [2, "x"]) == 0.0
    now[0] += 5
    assert stillness.seconds("/a/beat", [2, "x"]) == 5.0
    for path in places.runtime_folder("seen").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "before"}))
    assert stillness.seconds("/a/beat", [2, "x"]) == 0.0
