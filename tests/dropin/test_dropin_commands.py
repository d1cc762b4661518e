"""Which commands of notebooks run, and which are skipped."""

from __future__ import annotations

import pytest

from scriptrun.dropin.notebook import commands

SKIPPED = [
    *("pip install x", " pip3 install -U x", "pip -q install x", "PIP_X=1 pip install x"),
    *(
        "/opt/bin/python3.8 -m pip install x",
        "python -m pip uninstall -y x",
        "cd a && pip install .",
    ),
    *("yes | conda install x", "conda env create -f e.yml", "mamba install x", "conda activate a"),
    *("'/a b/python' -m pip install x", "{sys.executable} -m pip install x", "exec pip install x"),
    *("uv pip install x", "uv add x", "apt-get install -y graphviz", "sudo apt install x"),
    *(
        "az login",
        "az extension add -n ml; az ml list",
        "jupyter nbextension enable --py widgetsnbextension",
    ),
    *("test -d x || pip install x", "easy_install x", "python -m ipykernel install --user"),
]
RUN = [
    *(
        "pip list",
        "pip show azureml-core",
        "pip freeze > r.txt",
        "pip --version",
        "pip list | grep x",
    ),
    *(
        "conda env list",
        "conda info",
        "conda list",
        "python -m pip list",
        "uv pip list",
        "uv run a.py",
    ),
    *("ls -la", "", "  ", "python train.py --pip install", "jupyter nbconvert --to script a.ipynb"),
    *(
        "echo pip install x",
        "grep -r conda .",
        "pipeline install",
        "nvidia-smi",
        "git commit -m pip",
    ),
]


@pytest.mark.parametrize("command", SKIPPED)
def test_what_changes_the_machine_is_skipped(command):
    assert commands.why_skipped(command)


@pytest.mark.parametrize("command", RUN)
def test_other_commands_run(command):
    assert commands.why_skipped(command) is None


def test_the_reason_for_azureml_is_that_it_is_provided():
    assert commands.why_skipped("pip install --upgrade azureml-sdk") == "scriptrun provides azureml"
    assert commands.why_skipped("pip install 'azureml-core[x]>=1'") == "scriptrun provides azureml"
    assert "exec installs nothing" in str(commands.why_skipped("pip install pandas"))


def test_a_shell_script_keeps_its_other_lines():
    script = "set -e\npip install \\\n  a b\nif true; then\n  conda install x\nfi\necho end\n"
    text, skipped = commands.without_skipped(script)
    assert text == "set -e\n:\nif true; then\n  :\nfi\necho end\n"
    assert skipped == ["pip install \\\n  a b", "conda install x"]


def test_what_surrounds_a_skipped_command_stays():
    script = (
        "if ! python -c 'import x'; then pip install x; fi\nfor p in a; do pip install $p\ndone"
    )
    text, skipped = commands.without_skipped(script)
    assert text == "if ! python -c 'import x'; then :; fi\nfor p in a; do :\ndone"
    assert len(skipped) == 2


def test_text_that_a_shell_script_writes_stays():
    script = "cat > setup.sh <<'EOF'\npip install a\nEOF\npip install b"
    assert commands.without_skipped(script) == (
        script.replace("pip install b", ":"),
        ["pip install b"],
    )


def test_output_goes_to_where_python_prints(capsys):
    assert commands.run("printf 'one\\ntwo'; echo three >&2; exit 3") == 3
    assert capsys.readouterr().out == "one\ntwothree\n"
    assert commands.output("echo a; echo b; exit 4") == (["a", "b"], 4)
