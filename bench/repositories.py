"""A seeded tree of cloned repositories, as people keep them: what `scriptrun migrate` walks."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

PLAIN = "import os\n\n\ndef work(number):\n    return os.path.join('a', str(number))\n\n\n"
ESTIMATOR = """\
from azureml.core import Experiment, Workspace
from azureml.train.dnn import PyTorch

ws = Workspace.from_config()
script_params = {'--epochs': 10, '--flag': ''}
est = PyTorch(source_directory='src', script_params=script_params, compute_target='gpu',
              entry_script='train.py', use_gpu=True, pip_packages=['tqdm'])
run = Experiment(ws, 'old').submit(est)
run.wait_for_completion(show_output=True)
"""
CURRENT = """\
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace

ws = Workspace.from_config()
config = ScriptRunConfig('src', 'train.py', compute_target='gpu', environment=Environment('e'))
run = Experiment(ws, 'new').submit(config)
"""
#: mentions azureml without importing it, as generated clients of Azure do
CLIENT = """\
class Model{number}(object):
    \"\"\"A model of azureml, number {number}.\"\"\"

    def __init__(self, *, name: str = None, **kwargs):
        super().__init__(**kwargs)
        self.name = name
        self.settings = {{'kind': 'azureml', 'number': {number}}}


"""


def plant(root: Path, repositories: int = 3, files: int = 60, seed: int = 7) -> int:
    """Make ``repositories`` of about ``files`` files each below ``root``; return how many files."""
    random_source = random.Random(seed)
    for number in range(repositories):
        _Repository(root / f"repo{number:03}", random_source).plant(files)
    return sum(path.is_file() for path in root.rglob("*"))


class _Repository:
    """One repository; the shares are those of real ones."""

    def __init__(self, root: Path, random_source: random.Random) -> None:
        self.root, self.random = root, random_source

    def plant(self, files: int) -> None:
        share = max(files // 20, 1)
        self._many(".git/objects/pack", 5 * share, "", self._noise)
        self._many("node_modules/left", 4 * share, ".js", lambda: b"module.exports = 1;\n" * 20)
        self._many("data", 4 * share, ".csv", lambda: b"1,2,3\n" * 400)
        self._many("images", share, ".png", self._noise)
        self._many("src", 4 * share, ".py", lambda: (PLAIN * 30).encode())
        self._many("old", max(share // 4, 1), ".py", lambda: (ESTIMATOR + PLAIN * 20).encode())
        self._many("new", max(share // 4, 1), ".py", lambda: (CURRENT + PLAIN * 20).encode())
        self._many("client", 1, ".py", lambda: self._client(share))
        self._many("notebooks", max(share // 4, 1), ".ipynb", lambda: self._notebook(ESTIMATOR))
        self._many("plots", max(share // 4, 1), ".ipynb", lambda: self._notebook(PLAIN))
        (self.root / "again").symlink_to(self.root, target_is_directory=True)

    def _many(self, folder: str, count: int, suffix: str, content: object) -> None:
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            assert callable(content)
            (place / f"file{number}{suffix}").write_bytes(content())

    def _noise(self) -> bytes:
        return self.random.randbytes(2000)

    def _client(self, share: int) -> bytes:
        return "".join(CLIENT.format(number=number) for number in range(20 * share)).encode()

    def _notebook(self, code: str) -> bytes:
        picture = base64.b64encode(self.random.randbytes(1_000_000)).decode()
        outputs = [
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}},
            {"output_type": "stream", "name": "stdout", "text": ["epoch 1: azureml run\n"] * 200},
        ]
        cells = [
            {
                "cell_type": "code",
                "execution_count": number,
                "metadata": {},
                "outputs": outputs if number % 4 == 0 else [],
                "source": (code if number == 0 else PLAIN).splitlines(keepends=True),
            }
            for number in range(8)
        ]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return json.dumps(notebook, indent=1).encode()
