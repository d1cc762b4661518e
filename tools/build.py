"""Builds what is released: ``./dev build [FOLDER]`` (dist).

The source archive, the wheel, and beside them the list of components (SBOM, CycloneDX in JSON):
every package that the wheel brings along with all extras that users install, with its version,
licence and what it needs in turn, as resolved today for this system and Python.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = (sys.executable, "-m", "uv")
#: extras for those who work on the project, not for its users
DEVELOPERS = {"test", "lint", "dev"}


def main(arguments: list[str]) -> int:
    """Write the files into the folder that is named, else into ``dist``; list them."""
    folder = Path(arguments[0] if arguments else "dist").absolute()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with tempfile.TemporaryDirectory() as temporary:
        tools = environment(
            Path(temporary, "tools"), ["-r", str(ROOT / "requirements/release.txt")]
        )
        build = [*UV, "build", "-q", "--no-build-isolation", "--python", str(tools / "python")]
        run([*build, "--out-dir", str(folder), str(ROOT)])
        parts = environment(Path(temporary, "parts"), dependencies(project))
        sbom = folder / f"{project['name']}-{project['version']}.cdx.json"
        listing = [tools / "cyclonedx-py", "environment", "--output-reproducible", "--validate"]
        listing += ["--pyproject", ROOT / "pyproject.toml", "--mc-type", "library", "-o", sbom]
        run([*map(str, listing), str(parts / "python")])
    print(*sorted(path.name for path in folder.glob("scriptrun-*")), sep="\n")
    return 0


def dependencies(project: dict[str, object]) -> list[str]:
    """What the package needs, with the extras of its users."""
    needed = list(project["dependencies"])
    for name, requirements in project["optional-dependencies"].items():
        needed += requirements if name not in DEVELOPERS else []
    return [each for each in needed if not each.startswith(project["name"])]


def environment(folder: Path, packages: list[str]) -> Path:
    """A fresh environment with ``packages``; the folder of its programs."""
    run([*UV, "venv", "-q", "--python", sys.executable, str(folder)])
    python = folder / "bin" / "python"
    run([*UV, "pip", "install", "-q", "--python", str(python), *packages])
    return python.parent


def run(command: list[str]) -> None:
    """Run a command; if it fails, so does the build."""
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        sys.exit(f"Not built: {' '.join(command[:3])} failed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
