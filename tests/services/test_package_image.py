"""The image of a package, built and run by a real podman."""

from __future__ import annotations

import json
import subprocess

import pytest
from pods import BASE

from scriptrun import Environment, Model
from scriptrun.services import package
from scriptrun.testing.jobs import until

#: asked inside the container, whose network is its own
ASK = """
import urllib.request
request = urllib.request.Request(
    "http://127.0.0.1:{}/score", b'"hello"', {{"Content-Type": "application/json"}}
)
print(urllib.request.urlopen(request).read().decode())
"""


@pytest.mark.podman
@pytest.mark.slow
def test_an_image_answers(bench, podman):
    config = bench.config(environment=Environment("own"), base_image=BASE)
    made = Model.package(bench.workspace, [bench.model()], config)
    made.pull()
    podman.say("run", "--detach", "--name", "packaged", "--network", "none", made.location)

    def asked() -> str | None:
        try:
            return podman.say("exec", "packaged", "python", "-c", ASK.format(package.PORT))
        except subprocess.CalledProcessError:
            return None

    answer = json.loads(until(asked, lambda: podman.say("logs", "packaged")))
    assert answer == {"version": "1", "model": "a model", "data": "hello"}
