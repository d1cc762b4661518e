"""The parts of the drop-in: what is scanned, magics, the way scripts end, accepted logins."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.dropin import exec as running
from scriptrun.dropin import scan
from scriptrun.dropin.azureml import authentication, private_names, provisioning, unsupported
from scriptrun.dropin.notebook import kernel, small_shell, syntax
from scriptrun.dropin.notebook.notes import Notes
from scriptrun.spec.errors import ScriptrunError, UserErrorException

# what a file uses that is not there


def found(tmp_path, text, name="a.py"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [
        (each.place.removeprefix(str(path)), each.name, bool(each.instead))
        for each in scan.check(str(path))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import os\nfrom numpy import *\n",
        "import azureml.core\nfrom azureml.core import Run, Workspace as W\n",
        "from azureml.core import *\n",
        "from . import azureml\n",
        "x = 'from azureml.nowhere import y'\n",
    ],
)
def test_what_is_provided_is_not_listed(tmp_path, text):
    assert found(tmp_path, text) == []


def test_what_is_not_provided_is_listed_by_line_with_what_to_do(tmp_path):
    text = (
        "import os\n"
        "from azureml.train.automl import AutoMLConfig\n"
        "import azureml.nowhere\n"
        "def f():\n    from azureml.core import Run, Nothing\n"
    )
    assert found(tmp_path, text) == [
        (":2", "azureml.train.automl.AutoMLConfig", True),
        (":3", "azureml.nowhere", True),
        (":5", "azureml.core.Nothing", True),
    ]


@pytest.mark.parametrize(
    "text", ["print 1\n", "a = (\n", b"\xff\xfe\x00", b"# coding: nonsense\n", "a\0b\n"]
)
def test_what_is_no_python_is_a_sentence(tmp_path, text):
    with pytest.raises(UserErrorException) as caught:
        found(tmp_path, text)
    assert "a.py" in caught.value.message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserErrorException) as caught:
        scan.check(str(tmp_path / "gone.py"))
    assert "gone.py" in caught.value.message


def test_the_encoding_of_a_file_counts(tmp_path):
    text = "# coding: latin-1\nx = 'ü'\nimport azureml.nowhere\n".encode("latin-1")
    assert [name for _, name, _ in found(tmp_path, text)] == ["azureml.nowhere"]


def test_a_notebook_is_scanned_cell_by_cell(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": "import azureml.nowhere"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import azureml.nowhere"]},
        {"cell_type": "code", "source": "!pip install x\nx = 1"},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    ((place, name, _),) = found(tmp_path, text, "a.ipynb")
    assert name == "azureml.nowhere"
    assert place.endswith(":2")
    assert "cell" in place


# running old code


def executed(tmp_path, code, *words, name="old.py", module=None):
    (tmp_path / name).write_text(code)
    call = "module(sys.argv[1], sys.argv[2:])" if module else "script(sys.argv[1], sys.argv[2:])"
    program = f"import sys\nfrom scriptrun.dropin import exec as e\nsys.exit(e.{call})"
    return subprocess.run(
        [sys.executable, "-c", program, module or name, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit(True)", 1, ""),
        ("sys.exit('so it ends')", 1, "so it ends\n"),
    ],
)
def test_a_script_ends_as_in_python(tmp_path, end, code, said):
    done = executed(tmp_path, f"import sys\n{end}\n")
    assert (done.returncode, done.stderr) == (code, said)


def test_a_script_sees_what_python_would_show_it(tmp_path):
    code = "import sys, os, beside\nprint([os.path.basename(sys.argv[0]), sys.argv[1:], __name__, __file__, sys.path[0]])\n"
    (tmp_path / "beside.py").write_text("")
    words = ["--a", "b c", ""]
    done = executed(tmp_path, code, *words)
    path = str(tmp_path / "old.py")
    assert done.stdout == f"{['old.py', words, '__main__', path, str(tmp_path)]}\n"


def test_a_traceback_begins_in_the_users_code(tmp_path):
    done = executed(tmp_path, "def f():\n    return 1 / 0\nprint('before')\nf()\n")
    assert done.returncode == 1
    assert done.stdout == "before\n"
    assert "ZeroDivisionError" in done.stderr
    assert "runpy" not in done.stderr
    assert "scriptrun" not in done.stderr.replace(sys.executable, "")
    assert done.stderr.count("File ") == 2


def test_a_module_that_is_not_installed_is_told_with_the_python_that_lacks_it(tmp_path):
    done = executed(tmp_path, "import nowhere_at_all\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].count("nowhere_at_all") == 1
    assert sys.executable in done.stderr


def test_a_module_is_run_as_main_with_its_words(tmp_path):
    code = "import sys\nprint(__name__, sys.argv[1:])\n"
    done = executed(tmp_path, code, "x y", name="old_module.py", module="old_module")
    assert done.stdout == "__main__ ['x y']\n"


def test_a_script_that_is_not_there_is_refused():
    with pytest.raises(UserErrorException) as caught:
        running.script("gone.py", [])
    assert "gone.py" in caught.value.message


# magics

SPACE = {"name": "it", "n": 3, "made": {"a": [1]}}


def shell():
    return small_shell.SmallShell(dict(SPACE), Notes("x.ipynb, cell 1"))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("echo $name", "echo it"),
        ("echo {n + 1}", "echo 4"),
        ("echo {made['a'][0]}", "echo 1"),
        ("echo ${name}", "echo it"),
        ("echo $$name", "echo $name"),
        ("echo $HOME ${x%.*}", "echo $HOME ${x%.*}"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("echo {n / 0}", "echo {n / 0}"),
        ("", ""),
    ],
)
def test_names_in_a_line_are_filled_as_ipython_does(text, filled):
    assert small_shell.fill_in(text, dict(SPACE)) == filled


@given(st.text(st.characters(exclude_characters="${}")))
def test_a_line_without_names_stays(text):
    assert small_shell.fill_in(text, {}) == text


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("%env A_NAME=a value", "a value"),
        ("%env A_NAME a value", "a value"),
        ("%env A_NAME=a=b", "a=b"),
        ("%set_env A_NAME={n}", "3"),
    ],
)
def test_variables_are_set(monkeypatch, line, value):
    monkeypatch.setenv("A_NAME", "before")
    shell().magic(line)
    assert os.environ["A_NAME"] == value


def test_a_variable_is_read(monkeypatch):
    monkeypatch.setenv("A_NAME", "a value")
    assert shell().magic("env A_NAME") == shell().magic("env")["A_NAME"] == "a value"
    monkeypatch.delenv("A_NAME")
    with pytest.raises(UserErrorException, match="'A_NAME' is not set"):
        shell().magic("env A_NAME")


def test_folders_are_changed_and_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    shell().magic("%cd 'a b'")
    assert shell().magic("%pwd") == str(tmp_path / "a b")


@pytest.mark.parametrize(
    "line",
    [
        "!pip install x",
        "!python -m pip install x",
        "!sudo rm x",
        "%conda install x",
        "%load x",
        "!/usr/bin/az login",
    ],
)
def test_what_would_change_the_machine_is_passed_over(capfd, line):
    made = shell()
    (made.system if line[0] == "!" else made.magic)(line[1:])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"scriptrun: x.ipynb, cell 1: skipped {line} (")


def test_commands_go_to_the_shell(capfd):
    assert shell().getoutput("printf 'a\\nb c\\n'; echo $n") == ["a", "b c", "3"]
    assert shell().getoutput("pip install x") == []
    capfd.readouterr()
    shell().system("echo shown; exit 3")
    out, err = capfd.readouterr()
    assert out == "shown\n"
    assert "3" in err
    with pytest.raises(subprocess.CalledProcessError, match="exit status 4"):
        shell().run_cell_magic("sh", "", "echo one\nexit 4\n")
    out, err = capfd.readouterr()
    assert (out, "4" in err) == ("one\n", True)


@pytest.mark.parametrize(
    ("line", "statement"),
    [("%time f()", "f()"), ("%timeit -n 10 -r3 f(x)", "f(x)"), ("%prun a = 1", "a = 1")],
)
def test_a_timed_statement_is_a_statement(line, statement):
    assert syntax.timed_code(line) == statement


@pytest.mark.parametrize("line", ["%time", "%load x", "x %time f()", "%time print 1"])
def test_other_lines_are_no_timed_statements(line):
    assert syntax.timed_code(line) is None


# the kernel


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux lies it there")
def test_where_jupyter_keeps_kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert kernel.data_directory() == tmp_path / ".local" / "share" / "jupyter"
    monkeypatch.setenv("XDG_DATA_HOME", "/x")
    assert str(kernel.data_directory()) == "/x/jupyter"
    monkeypatch.setenv("JUPYTER_DATA_DIR", "/y")
    assert str(kernel.data_directory()) == "/y"


# names that are accepted, or say what to do


def test_logins_are_accepted_and_hand_out_nothing():
    for login in (
        authentication.ServicePrincipalAuthentication(
            "tenant", "id", service_principal_password="hunter2"
        ),
        authentication.InteractiveLoginAuthentication(tenant_id="tenant", force=True),
        authentication.MsiAuthentication(identity_config={"client_id": "x"}),
        authentication.TokenAuthentication(lambda audience: "hunter2"),
        authentication.ArmTokenAuthentication("hunter2"),
    ):
        assert login.get_authentication_header() == {}
        assert login.get_token("scope").token == ""
        assert "hunter2" not in repr(vars(login))
        with pytest.raises(NotImplementedError):
            login.signed_session()


def test_states_of_runs_are_parted_into_running_and_ended():
    status = private_names.RunStatus
    running_, ended = status.get_running_statuses(), status.get_terminal_statuses()
    ending = status.get_post_processing_statuses()
    assert {"CancelRequested", "Finalizing"} == set(ending)
    assert set(running_) | set(ending) | set(ended) == set(status.list())
    assert not set(running_) & set(ended)
    assert {"Completed", "Failed", "Canceled"} == set(ended)


def test_scale_settings_survive_being_written():
    made = provisioning.ScaleSettings(1, 4, 90)
    again = provisioning.ScaleSettings.deserialize(made.serialize())
    assert vars(again) == vars(made)
    bare = provisioning.ScaleSettings.deserialize({"minNodeCount": 0, "maxNodeCount": 1})
    assert bare.idle_seconds_before_scaledown == 1800


def test_what_is_missing_can_be_imported_and_says_what_to_do_when_used():
    kind = unsupported.missing("azureml.x", "Thing", "Use another.")
    for use in (kind, lambda: kind(1, a=2), lambda: kind.make(), lambda: kind.CONSTANT):
        with pytest.raises(NotImplementedError) as caught:
            use()
        assert "azureml.x.Thing" in str(caught.value)
        assert "Use another." in str(caught.value)
    assert copy.copy(kind) is kind
    assert not hasattr(kind, "_repr_html_")
    assert issubclass(type("Mine", (kind,), {}), kind)


def test_a_missing_error_can_be_caught_and_made():
    kind = unsupported.missing("azureml.x", "ThingException", "Use another.")
    assert issubclass(kind, ScriptrunError)
    with pytest.raises(kind):
        raise kind("so it is")
    with pytest.raises(NotImplementedError):
        unsupported.missing("azureml.x", "KubernetesCompute", "Use another.")()
