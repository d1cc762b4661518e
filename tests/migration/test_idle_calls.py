"""Calls that do nothing here go; packages of the SDK stay, with what they stand for."""

from __future__ import annotations

import pytest
from tests.migration.versions import migrated

from scriptrun.migration import consumption, idle_calls, sdk_requirements
from scriptrun.migration.code import edits
from scriptrun.migration.code.call_layout import ArgumentComment
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import comment_placement


def rewritten(module, text: str) -> str:
    return edits.apply(text, module.rewrite(Program(text)).edits)


CORE = "from azureml.core import Workspace\n"
LOGIN = "from azureml.core.authentication import AzureCliAuthentication as Cli\n"


@pytest.mark.parametrize(
    ("code", "new"),
    [
        (
            f"{LOGIN}a = Cli()\nws = Workspace.from_config(auth=a)\n",
            "ws = Workspace.from_config()\n",
        ),
        (f"{LOGIN}ws = Workspace.from_config(auth=Cli())\n", "ws = Workspace.from_config()\n"),
        (
            f"{LOGIN}ws = Workspace.from_config(path='c', auth=Cli(os.environ['X']))\n",
            "ws = Workspace.from_config(path='c')\n",
        ),
        (
            "from azureml.telemetry import set_diagnostics_collection\n\n"
            "# say it\nset_diagnostics_collection(send_diagnostics=True)\n",
            "\n",
        ),
    ],
)
def test_logins_and_telemetry_go(code, new):
    assert rewritten(idle_calls, CORE + code) == CORE + new


@pytest.mark.parametrize(
    "code",
    [
        f"{LOGIN}a = Cli()\nws = Workspace.from_config(auth=a)\nprint(a.token)\n",
        f"{LOGIN}ws = Workspace.get('n', auth=Cli())\n",
        f"{LOGIN}ws = Workspace.from_config(auth=Cli(ask()))\n",
        "ws = Workspace.from_config(auth=auth)\n",
    ],
)
def test_a_login_that_may_do_more_stays(code):
    new = rewritten(idle_calls, CORE + code)
    assert "Cli(" in new or new == CORE + code


CLASS = "from azureml.data.dataset_consumption_config import DatasetConsumptionConfig as C\n"
NAME = CLASS.replace(" as C", "")


@pytest.mark.parametrize(
    ("call", "new"),
    [
        ("('b', ds)", "ds.as_named_input('b')"),
        ("('b', ds, mode='mount')", "ds.as_named_input('b').as_mount()"),
        ("(name='b', dataset=ds, mode='download')", "ds.as_named_input('b').as_download()"),
        ("('b', ds, 'download', '/d')", "ds.as_named_input('b').as_download('/d')"),
    ],
)
def test_a_consumption_is_said_by_the_dataset(call, new):
    text = f"{NAME}x = DatasetConsumptionConfig{call}\n"
    assert rewritten(consumption, text) == f"x = {new}\n"
    assert rewritten(consumption, f"{NAME}x = DatasetConsumptionConfig('b', ds, mode=m)\n") == (
        f"{NAME}x = DatasetConsumptionConfig('b', ds, mode=m)\n"
    )


def test_a_package_of_the_sdk_stays_with_what_it_stands_for(tmp_path):
    (tmp_path / "t.py").write_text("import numpy as np\nimport sklearn\n")
    text = (
        "f(script='t.py')\nc.add_pip_package('azureml-defaults')\ng(['azureml-sdk==1.0.65', 'x'])\n"
    )
    first, second = sdk_requirements.find(Program(text), str(tmp_path))
    assert "stands for numpy, pandas and requests" in first.reason
    assert "import numpy of these" in first.advice
    assert second.what == "azureml-sdk==1.0.65" and "packages as of 2019" in second.reason
    made = migrated(f"{CORE}ws = Workspace.from_config()\n{text}", "scriptrun")
    assert b"'azureml-defaults'" in made.new


def test_comments_stand_where_their_argument_went():
    comments = [
        ArgumentComment("# ours", "image_registry_details", False),
        ArgumentComment("# no conda", "user_managed", True),
        ArgumentComment("# large", "use_gpu", False),
    ]
    lines = [
        "e = E()",
        "e.python.user_managed_dependencies = True",
        "e.docker.base_image_registry = r",
    ]
    assert comment_placement.place(comments, lines) == [
        "# large",
        "e = E()",
        "e.python.user_managed_dependencies = True  # no conda",
        "# ours",
        "e.docker.base_image_registry = r",
    ]
