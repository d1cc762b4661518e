"""What is released is built, and its list of components holds what the wheel brings along."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.network
def test_a_release_has_a_wheel_an_archive_and_a_list_of_components(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools" / "build.py", tmp_path], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "scriptrun/runtime/launcher/entry.py" in zipfile.ZipFile(wheel).namelist()
    assert list(tmp_path.glob("*.tar.gz"))
    (sbom,) = tmp_path.glob("*.cdx.json")
    content = json.loads(sbom.read_text("utf-8"))
    assert content["bomFormat"] == "CycloneDX"
    assert content["metadata"]["component"]["name"] == "scriptrun"
    components = {each["name"].lower(): each for each in content["components"]}
    for name in ("cryptography", "psutil", "pyyaml", "uv", "obstore", "libcst", "optuna"):
        assert components[name]["version"] in components[name]["purl"]
    assert "pytest" not in components
    assert str(ROOT) not in sbom.read_text("utf-8")
    own = content["metadata"]["component"]["bom-ref"]
    (needed,) = [each["dependsOn"] for each in content["dependencies"] if each["ref"] == own]
    assert any("psutil" in each for each in needed)
