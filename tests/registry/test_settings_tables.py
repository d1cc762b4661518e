"""The tables of settings and variables say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.registry.settings import files, keys, variables
from scriptrun.registry.settings.files import NO_FILES_VARIABLE
from scriptrun.registry.settings.keys import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(variables.__file__)
_NAME = re.compile(r"SCRIPTRUN_[A-Z0-9_]*[A-Z0-9_]")
#: prefixes of families: not names
NO_NAME = {"SCRIPTRUN_"}


def names_in_code() -> set[str]:
    sources = [path for path in (ROOT / "src").rglob("*.py") if path != TABLE]
    return {name for path in sources for name in _NAME.findall(path.read_text("utf-8"))} - NO_NAME


def test_every_variable_is_in_the_table_and_in_the_code():
    listed = {variable.name.partition("<")[0] for variable in variables.VARIABLES}
    of_settings = {setting.variable for setting in SETTINGS.values() if setting.variable}
    code = names_in_code() - of_settings
    assert sorted(code - listed) == [], "add it to registry/settings/variables.py"
    assert sorted(listed - code) == [], "no code reads or sets it"
    assert NO_FILES_VARIABLE in listed


def test_no_name_is_listed_twice():
    names = [variable.name for variable in variables.VARIABLES]
    names += [setting.variable for setting in SETTINGS.values() if setting.variable]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("tool", ["settings_page.py", "json_page.py"])
def test_the_page_is_up_to_date(tool):
    command = [sys.executable, ROOT / "tools" / tool, "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", SETTINGS)
def test_each_example_is_valid(key, tmp_path):
    setting = SETTINGS[key]
    quoted = setting.kind not in (keys.COMMAND, keys.TABLE)
    text = f'{key} = "{setting.example}"' if quoted else f"{key} = {setting.example}"
    value = files.parse(text, tmp_path / "scriptrun.toml")[key]
    assert setting.problem(value) == ""
    assert setting.problem(5)


def test_the_page_lists_every_exit_code():
    """Those that errors carry, and those of the command line itself."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    codes = set(re.findall(r"^ +exit_code = (\d+)$", code, re.MULTILINE))
    line = re.search(r"^USAGE_ERROR, BUG, TIMED_OUT, INTERRUPTED, PIPE = (.*)$", code, re.MULTILINE)
    codes |= {"0", "1", *line[1].split(", ")}
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    table = page.partition("<!-- end -->")[0]
    assert codes == set(re.findall(r"^\| (\d+) \|", table, re.MULTILINE))
