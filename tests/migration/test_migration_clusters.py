"""Code that makes sure that a cluster exists becomes the cluster's name, and a command."""

from __future__ import annotations

import pytest
from tests.migration.versions import migrated

from scriptrun import Workspace
from scriptrun.migration import clusters, compute_names
from scriptrun.migration.code import removals
from scriptrun.migration.code.program import Program
from scriptrun.migration.proof import prove
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import ComputeTargetException

IMPORTS = """\
import os
from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException

ws = Workspace.from_config()
"""
SUBMIT = """
src = ScriptRunConfig(source_directory='src', script='t.py', compute_target=target)
Experiment(ws, 'x').submit(src)
"""
TRY = """\
size = os.environ.get('SIZE', 'STANDARD_NC6')

# Verify that the cluster does not exist already
try:
    target = ComputeTarget(workspace=ws, name='gpu')
    print('Found it.')
except ComputeTargetException:
    # its size
    config = AmlCompute.provisioning_configuration(vm_size=size, max_nodes=2)
    target = ComputeTarget.create(ws, 'gpu', config)
    target.wait_for_completion(show_output=True)

# its state
print(target.get_status().serialize())
"""
IF = """\
if 'gpu' in ws.compute_targets:
    target = ws.compute_targets['gpu']
    if target and type(target) is AmlCompute:
        print('found ' + 'gpu')
else:
    target = ComputeTarget.create(
        ws, 'gpu', AmlCompute.provisioning_configuration(vm_size='STANDARD_NC6', max_nodes=2))
    target.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)
"""
PLAIN = """\
config = AmlCompute.provisioning_configuration(vm_size='STANDARD_NC6', max_nodes=2)
target = ComputeTarget.create(ws, 'gpu', config)
target.wait_for_completion(show_output=True)
"""
LOOKED_UP = "target = ComputeTarget(workspace=ws, name='gpu')\n"
SHORT = """\
from scriptrun import Experiment, ScriptRunConfig, Workspace

ws = Workspace.from_config()
"""


@pytest.mark.parametrize("code", [TRY, IF, PLAIN, LOOKED_UP], ids=["try", "if", "plain", "get"])
def test_only_the_name_is_left(code):
    made = migrated(IMPORTS + code + SUBMIT, "scriptrun")
    new = made.new.decode()
    for unused in ("import os\n", "from scriptrun.exceptions import ComputeTargetException\n"):
        new = new.replace(unused, "")  # where the code never used it
    rest = "target = 'gpu'\n" + SUBMIT.replace("submit(src)", "submit(src, pins='relax')")
    assert new == SHORT + rest or new == SHORT + "\n" + rest
    (told,) = [each for each in made.findings if each.what == "compute target gpu"]
    nodes = code is not LOOKED_UP
    command = "compute add gpu --class Local --max-runs 2" if nodes else "compute alias gpu local"
    assert f"scriptrun {command}" in told.advice
    assert migrated(IMPORTS + code + SUBMIT).new.decode() == IMPORTS + code + SUBMIT


KEPT = {
    "returned": (
        "def get():\n"
        "    try:\n        target = ComputeTarget(ws, 'gpu')\n"
        "    except ComputeTargetException:\n"
        "        config = AmlCompute.provisioning_configuration(vm_size='x', max_nodes=2)\n"
        "        target = ComputeTarget.create(ws, 'gpu', config)\n"
        "    return target\n\ntarget = get()\n"
    ),
    "its size is read": PLAIN + "print(target.vm_size)\n",
    "it counts": TRY.replace("    print('Found it.')\n", "    n = 1\n"),
    "two of them": IF.replace(
        "target = ws.compute_targets['gpu']", "target = ComputeTarget(ws, 'b')"
    ),
    "another value": PLAIN + "if len(ws.name) > 3:\n    target = 'local'\n",
    "its size is changed at times": PLAIN.replace(
        "target = ", "if ws.name:\n    config.id = config.enable_ssl()\ntarget = ", 1
    ),
    "its size is made elsewhere": (
        "config = make()\ntarget = ComputeTarget.create(ws, 'gpu', config)\n"
    ),
}


@pytest.mark.parametrize("why", KEPT)
def test_what_does_more_stays_and_is_told(why):
    made = migrated(IMPORTS + KEPT[why] + SUBMIT, "scriptrun")
    assert "ComputeTarget" in made.new.decode().partition("ws = ")[2]
    assert any(each.what == "the creation of a compute target" for each in made.findings)


def test_both_versions_say_the_same_jobs_and_the_proof_names_the_command(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "t.py").write_text("print(1)\n")
    path = tmp_path / "submit.py"
    path.write_text(IMPORTS + TRY + SUBMIT)
    proof = prove.prove(str(path), path.read_bytes(), migrated(path.read_text(), "scriptrun").new)
    assert proof.standing == prove.SAME, proof
    (told,) = [each for each in proof.assumed if "compute target" in each]
    assert "scriptrun compute add gpu --class Local --max-runs 2" in told


def test_names_that_must_exist_are_told_with_the_command(tmp_path):
    program = Program(
        "rc.target = 'one'\nf(compute_target='two')\nws.compute_targets['my three']\n"
    )
    found = {each.what: each.advice for each in compute_names.find(program)}
    assert [*found] == ["compute target one", "compute target two", "compute target my three"]
    assert "scriptrun compute alias 'my three' local" in found["compute target my three"]
    created = Program("t = ComputeTarget.create(ws, 'one', c)\nf(compute_target='one')\n")
    assert clusters.created(created) == {"one"} and compute_names.find(created) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("script: a.py\ntarget: gpu\n", "gpu"),
        ('{\n "target": "gpu",\n}', "gpu"),
        ("target: local", ""),
    ],
)
def test_a_run_configuration_names_its_target(text, name):
    assert compute_names.in_configuration(text) == name


def test_the_error_names_what_is_near_and_both_commands(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    compute_targets.set_alias(workspace, "gpu-cluster", "local")
    with pytest.raises(ComputeTargetException) as caught:
        compute_targets.resolve(workspace, "gpu-clutser")
    said = str(caught.value)
    assert "Did you mean 'gpu-cluster'?" in said
    assert "scriptrun compute alias gpu-clutser local" in said
    assert "scriptrun compute add gpu-clutser" in said


def test_a_line_goes_with_its_comments_and_one_empty_line():
    program = Program("a = 1\n\n# of b\nb = 2\n\nc = 3\n")
    edit = removals.line(program, program.module.body[1])
    assert program.text[: edit.start] + program.text[edit.end :] == "a = 1\n\nc = 3\n"
