"""A docker whose daemon does not answer: processes for Azure's images, else one sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

import pytest

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.store import container_tool

docker = pytest.mark.skipif(shutil.which("docker") is None, reason="docker's client is required")
AZURES = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


class Daemon(BaseHTTPRequestHandler):
    """As much of a daemon as ``docker info`` asks for."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        version = b'{"ServerVersion": "27.0", "ApiVersion": "1.43", "Version": "27.0"}'
        self.answer(version)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Api-Version", "1.43")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "here"

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The path of the daemon's socket, where none listens."""
    path = tmp_path / "d.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", "docker")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "cache"))
    return path


@docker
def test_a_daemon_that_went_away_is_noticed_at_once(address):
    assert "docker does not work" in container_tool.problem()
    with ThreadingUnixStreamServer(str(address), Daemon) as server:
        threading.Thread(target=server.serve_forever).start()
        assert container_tool.problem() == ""
        assert container_tool.problem() == ""
        server.shutdown()
    assert "docker does not work" in container_tool.problem()
    address.unlink()
    assert "docker does not work" in container_tool.problem()


@docker
def test_an_image_of_the_users_own_is_refused_before_submission(address, tmp_path):
    workspace = Workspace.create("w", path=tmp_path / "home")
    environment = Environment("own")
    environment.docker.base_image = "alpine:3"
    config = ScriptRunConfig(tmp_path, command="true", environment=environment)
    with pytest.raises(RunConfigurationException, match="docker does not work: Cannot connect"):
        Experiment(workspace, "e").submit(config)


OLD_CODE = f"""
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.runconfig import RunConfiguration

ws = Workspace.from_config()
environment = Environment("azures")
environment.docker.enabled = True
environment.docker.base_image = {AZURES!r}
environment.python.user_managed_dependencies = True
environment.build_local(ws, useDocker=True)
config = RunConfiguration()
config.environment = environment
run = Experiment(ws, "e").submit(ScriptRunConfig("src", "train.py", run_config=config))
print(run.wait_for_completion()["status"])
"""


@docker
@pytest.mark.parametrize("tool", ["docker", ""])
def test_azures_images_are_processes_for_old_code(address, tmp_path, monkeypatch, tool):
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", tool)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)")
    (tmp_path / "submit.py").write_text(OLD_CODE)
    command = [sys.executable, "-m", "scriptrun", "exec", "submit.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Completed" in done.stdout
