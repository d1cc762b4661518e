"""A workspace with models and entry scripts, and services that end with the test."""

from __future__ import annotations

import json
import threading
import urllib.request

from scriptrun import InferenceConfig, LocalWebservice, Model, Run, Workspace
from scriptrun.services import deploy
from scriptrun.services.request import ServedModel, ServiceRequest

#: answers with what is in VERSION.txt, the model's text and the request
ECHO = """
import json
import os

def init():
    global version, text
    version = open('VERSION.txt').read().strip()
    folder = os.environ.get('AZUREML_MODEL_DIR')
    names = sorted(os.listdir(folder)) if folder else []
    path = os.path.join(folder, names[0]) if names else None
    text = open(path).read() if path and os.path.isfile(path) else names
    print('ready', version, flush=True)

def run(data):
    return {'version': version, 'model': text, 'data': json.loads(data)}
"""
BROKEN = """
def init():
    raise ValueError('the model does not fit')

def run(data):
    return data
"""


class ServiceBench:
    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.workspace = Workspace.create("bench", path=str(tmp_path / "bench"))
        self.source = tmp_path / "source"
        self.source.mkdir()
        self.write(ECHO, "1")

    def write(self, script=None, version=None):
        """Set the entry script and the version that it answers with."""
        if script is not None:
            (self.source / "score.py").write_text(script)
        if version is not None:
            (self.source / "VERSION.txt").write_text(version)

    def model(self, name="digits", text="a model"):
        path = self.tmp_path / f"{name}.txt"
        path.write_text(text)
        return Model.register(self.workspace, str(path), name)

    def config(self, **settings):
        return InferenceConfig("score.py", source_directory=str(self.source), **settings)

    def request(self, name="digits", **fields):
        values = {"source_directory": str(self.source), "entry_script": "score.py", **fields}
        return ServiceRequest(name, **values)

    def deploy(self, name="digits", overwrite=False, wait=True, **fields):
        service = deploy.deploy(self.workspace, self.request(name, **fields), overwrite)
        if wait:
            service.wait_for_deployment(timeout_sec=120)
        return service

    def deploy_model(self, name="digits", models=(), config=None, wait=True, **arguments):
        arguments.setdefault("deployment_config", LocalWebservice.deploy_configuration())
        service = Model.deploy(
            self.workspace,
            name,
            models if isinstance(models, str) else list(models),
            config or self.config(),
            **arguments,
        )
        if wait:
            service.wait_for_deployment(timeout_sec=120)
        return service

    def end(self):
        for run in Run.unfinished(self.workspace):
            run.cancel()
            run.wait_for_completion(raise_on_error=False)


def served(model):
    return ServedModel(model.name, model.version)


def post(uri, data=None, headers=None):
    """The parsed answer of the service at ``uri``."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(uri, json.dumps(data).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


class Caller(threading.Thread):
    """Posts requests until ``stop``, and collects the answers and the errors."""

    def __init__(self, uri):
        super().__init__(daemon=True)
        self.uri, self.answers, self.errors = uri, [], []
        self._stopped = threading.Event()

    def run(self):
        while not self._stopped.is_set():
            try:
                self.answers.append(post(self.uri, "x"))
            except Exception as error:
                self.errors.append(repr(error))

    def stop(self):
        self._stopped.set()
        self.join(60)
