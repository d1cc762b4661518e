"""Looking for old code: in 5,000 Python files of which 50 matter, and in cloned repositories."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import repositories, timing

FILES, THAT_MATTER, REPEATS = 5000, 50, 3
#: a twentieth of the 116 repositories with 100,000 files that a user had
REPOSITORIES, FILES_OF_ONE = 6, 860
OTHER = "import os\n\n\ndef work(number):\n    return os.path.join('a', str(number))\n\n\n" * 20
OLD = """
from azureml.core import Experiment, Workspace
from azureml.train.dnn import PyTorch

ws = Workspace.from_config()
script_params = {'--epochs': 10, '--flag': ''}
est = PyTorch(source_directory='src', script_params=script_params, compute_target='gpu',
              entry_script='train.py', use_gpu=True, pip_packages=['tqdm'])
run = Experiment(ws, 'old').submit(est)
"""
READ_ALL = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        open(os.path.join(folder, name), "rb").read()
"""


def measure() -> list[dict[str, object]]:
    """The whole command: beside a program that only reads all the files, and beside grep."""
    return [sparse_tree(), cloned_repositories()]


def cloned_repositories() -> dict[str, object]:
    """The whole command on repositories with notebooks, images, data and links that go round."""
    with tempfile.TemporaryDirectory() as place:
        count = repositories.plant(Path(place), REPOSITORIES, FILES_OF_ONE)
        migrate = [sys.executable, "-m", "scriptrun", "migrate", place]
        sides = {
            "ours": lambda: timing.seconds(migrate),
            "grep": lambda: timing.seconds(["grep", "-rl", "azureml", place]),
        }
        found = timing.alternate(sides, REPEATS)
    return timing.row(
        f"migrate, {REPOSITORIES} repositories of {count} files",
        *(found["ours"], "s", "grep -rl azureml", found["grep"]),
        target="100,000 files in 2 minutes on 2 cores",
    )


def sparse_tree() -> dict[str, object]:
    """The whole command, beside a program that only reads all the files."""
    with tempfile.TemporaryDirectory() as place:
        plant(Path(place))
        python = sys.executable  # rewriting needs LibCST, which the development packages have
        sides = {
            "ours": lambda: timing.seconds([python, "-m", "scriptrun", "migrate", place]),
            "reading": lambda: timing.seconds([python, "-c", READ_ALL, place]),
        }
        found = timing.alternate(sides, REPEATS)
    value, reference = found["ours"], found["reading"]
    return {
        "name": f"migrate, {FILES} files of which {THAT_MATTER} matter",
        "value": value,
        "unit": "s",
        "reference_name": "reading all files",
        "reference": reference,
        "ratio": value / reference,
        "target": "under 10 s",
    }


def plant(root: Path) -> None:
    """Make the tree: 100 files a directory, one in a hundred is old code of 200 lines."""
    for number in range(FILES):
        folder = root / f"part{number // 100}"
        folder.mkdir(exist_ok=True)
        matters = number % (FILES // THAT_MATTER) == 0
        text = OLD + OTHER if matters else OTHER
        (folder / f"module{number}.py").write_text(text, "utf-8")
