"""How entry scripts are executed: their folder, variables, names, and one answer without a server."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from scriptrun.runtime.serving import entry_script, trial  # noqa: F401 - run in the server
from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.order import ServiceOrder

LOOKS = """
import os, sys, helper
def init():
    print('init in', os.getcwd())
def run(data):
    names = ('AZUREML_ENTRY_SCRIPT', 'AZUREML_MODEL_DIR', 'AZUREML_APP_ROOT', 'WORKER_COUNT',
             'SCORING_TIMEOUT_MS')
    return {'cwd': os.getcwd(), 'file': __file__, 'path': sys.path[0], 'name': __name__,
            'helper': helper.NAME, **{name: os.environ.get(name) for name in names}}
"""


def test_the_folder_and_the_variables(new_service):
    served = new_service(LOOKS, name="code/score.py")
    served.write("code/helper.py", "NAME = 'helper'\n")
    served.start(
        entry_script="code/score.py", model_dir="azureml-models/digits/3", workers=1,
        timeout_seconds=2.5,
    ).until_state("healthy")  # fmt: skip
    work = os.path.realpath(served.work)
    assert served.post("{}").json == {
        "cwd": f"{work}/code", "path": f"{work}/code", "file": f"{work}/code/score.py",
        "name": "score", "helper": "helper", "AZUREML_ENTRY_SCRIPT": "code/score.py",
        "AZUREML_MODEL_DIR": f"{served.folder}/azureml-models/digits/3",
        "AZUREML_APP_ROOT": work, "WORKER_COUNT": "1", "SCORING_TIMEOUT_MS": "2500",
    }  # fmt: skip
    assert f"init in {work}/code\n" in served.log()


def test_files_are_found_below_the_name_of_the_source_directory(new_service):
    served = new_service(
        "def init(): print(open('scoring/extra.txt').read())\ndef run(data): return 1\n",
        name="x/y/score.py",
    )
    served.write("extra.txt", "the extra text")
    served.start(entry_script="x/y/score.py", source_name="scoring", workers=2)
    served.until_state("healthy")
    assert "the extra text" in served.log()
    assert (served.work / "x/y/scoring").resolve() == served.work.resolve()


@pytest.mark.parametrize("module", ["__main__", "score"])
def test_pickles_of_the_scripts_own_classes_load(module, new_service):
    served = new_service(
        "import pickle\n"
        "class Model:\n    def predict(self): return self.weight\n"
        "def init():\n    global model\n    model = pickle.load(open('model.pkl', 'rb'))\n"
        "def run(data): return model.predict()\n"
    )
    made = f"ccopy_reg\n_reconstructor\n(c{module}\nModel\nc__builtin__\nobject\nNtR(dS'weight'\nI7\nsb."
    (served.work / "model.pkl").write_bytes(made.encode())
    served.start().until_state("healthy")
    assert served.post("1").json == 7


def test_the_script_can_start_processes(serve):
    served = serve(
        "import multiprocessing\n"
        "def double(x): return 2 * x\n"
        "def init():\n    print('loaded')\n"
        "def run(data):\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, [1, 2])\n"
    )
    assert served.post("1").json == [2, 4]
    assert served.log().count("loaded") == 1


def test_init_and_run_are_called_in_the_main_thread(serve):
    served = serve(
        "import threading\n"
        "def init():\n    global first\n    first = threading.current_thread()\n"
        "def run(data):\n"
        "    return threading.current_thread() is first is threading.main_thread()\n"
    )
    assert served.post("1").json is True


def test_without_a_script_the_model_is_served(monkeypatch):
    script = entry_script.load(ServiceOrder(), "folder")
    assert callable(script.init)
    assert not script.is_raw


def try_out(served, body: str, **order) -> tuple[int, str]:
    (served.folder / "request.json").write_text(body)
    served.start(test="request.json", **order)
    return served.wait(), served.log()


def test_one_answer_without_a_server(new_service):
    served = new_service(
        "def init(): print('init')\ndef run(data): print('run'); return {'a': data}\n"
    )
    code, log = try_out(served, "[1]")
    assert code == 0, log
    assert log.splitlines() == ["init", "run", '{"a": "[1]"}']
    response = served.folder / "outputs" / "response.json"
    assert json.loads(response.read_text()) == {"a": "[1]"}
    assert not (served.folder / "service_state.json").exists()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def init(): pass\ndef run(data): raise ValueError('bad')\n", "ValueError: bad"),
        (
            "def init(): raise ValueError('bad')\ndef run(data): pass\n",
            "error: The model could not",
        ),
        ("def init(): pass\n", "has no function run"),
    ],
)
def test_a_script_that_fails_when_tried_out(script, expected, new_service):
    code, log = try_out(new_service(script), "1")
    assert code == 1
    assert expected in log


def test_a_bad_request_says_why(serve):
    served = serve(
        "from scriptrun.runtime.serving.errors import BadRequest\n"
        "def init(): pass\n"
        "def run(data): raise BadRequest('too few columns')\n"
    )
    answer = served.post("1")
    assert (answer.status, answer.json) == (400, {"message": "too few columns"})
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert BadRequest("x").message == "x"
    assert pickle.loads(pickle.dumps(BadRequest("x"))).args == ("x",)


def test_output_of_print_is_in_the_log_at_once(serve):
    served = serve("def init(): pass\ndef run(data): print('seen', data); return 1\n")
    served.post("5")
    assert "seen 5\n" in served.log()
    assert Path(served.folder / "log").exists()


def answer_once(served, **order):
    """The exit code of a test of the script with one request."""
    (served.folder / "request.json").write_text('"body"')
    return served.start(test="request.json", **order).wait()


def test_a_test_answers_though_the_script_closes_stdout(new_service):
    served = new_service(
        "import sys\ndef init(): print('loaded')\ndef run(data):\n    sys.stdout.close(); return 'ok'\n"
    )
    assert answer_once(served) == 0
    assert served.log() == 'loaded\n"ok"\n'


@pytest.mark.parametrize(
    ("name", "limit", "message"),
    [
        ("init", "start_seconds", "The model did not load within 0.1 seconds (start_seconds)."),
        ("run", "timeout_seconds", "run() took longer than 0.1 seconds (timeout_seconds)."),
    ],
)
def test_a_test_ends_when_the_service_would(name, limit, message, new_service):
    source = "import time\ndef init(): pass\ndef run(data): pass\n"
    slow = f"def {name}(*data):\n    time.sleep(600)  # here\n"
    served = new_service(source + slow)
    assert answer_once(served, **{limit: 0.1}) == 1
    assert served.log().endswith(f"error: {message}\n")
    assert "time.sleep(600)  # here" in served.log()
