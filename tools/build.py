"""Builds and checks what is released: ``./dev build [FOLDER]`` (dist).

The source archive, the wheel that is built from it, and beside them the list of components (SBOM,
CycloneDX in JSON): every package that the wheel brings along with all extras that users install,
with its version, licence and what it needs in turn, as resolved today for this system and Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
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
        check(tools, *built(folder, version()))
        parts = environment(Path(temporary, "parts"), dependencies(project))
        sbom = folder / f"{project['name']}-{version()}.cdx.json"
        described = Path(temporary, "pyproject.toml")
        described.write_text(static(ROOT.joinpath("pyproject.toml").read_text("utf-8")), "utf-8")
        listing = [tools / "cyclonedx-py", "environment", "--output-reproducible", "--validate"]
        listing += ["--pyproject", described, "--mc-type", "library", "-o", sbom]
        run([*map(str, listing), str(parts / "python")])
    print(*sorted(path.name for path in folder.glob("scriptrun-*")), sep="\n")
    return 0


def version() -> str:
    """The version, from the one place that has it."""
    source = (ROOT / "src" / "scriptrun" / "__init__.py").read_text("utf-8")
    return re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)[0]


def static(pyproject: str) -> str:
    """``pyproject.toml`` with the version, for a tool that builds nothing."""
    return re.sub(r"^dynamic = .*$", f'version = "{version()}"', pyproject, flags=re.MULTILINE)


def built(folder: Path, number: str) -> tuple[Path, Path]:
    """The wheel and the source archive of the version ``number``."""
    (wheel,) = folder.glob(f"scriptrun-{number}-*.whl")
    return wheel, folder / f"scriptrun-{number}.tar.gz"


def check(tools: Path, wheel: Path, archive: Path) -> None:
    """Check that an index takes both and shows the README, and what the wheel contains."""
    run([str(tools / "twine"), "check", "--strict", str(wheel), str(archive)])
    run([str(tools / "check-wheel-contents"), str(wheel)])
    links = relative_links(page(tools, wheel))
    if links:
        sys.exit(f"Not built: on an index these links of the README lead nowhere: {links}.")


def page(tools: Path, wheel: Path) -> str:
    """The README of ``wheel`` as an index shows it; a README that it cannot show ends the build."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        readme = archive.read(name).decode("utf-8").partition("\n\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        source, shown = Path(folder, "readme.md"), Path(folder, "readme.html")
        source.write_text(readme, "utf-8")
        run([str(tools / "python"), "-m", "readme_renderer", "-o", str(shown), str(source)])
        return shown.read_text("utf-8")


def relative_links(html: str) -> list[str]:
    """The links of a page that lead to files beside it."""
    return re.findall(r'\b(?:href|src)="(?!https?:|mailto:|#)([^"]*)"', html)


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


def environ() -> dict[str, str]:
    """The variables of each step: the files in the archives have the time of the commit."""
    asked = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    commit = {"SOURCE_DATE_EPOCH": found.stdout.strip()} if found.returncode == 0 else {}
    return {**commit, **os.environ}


def run(command: list[str]) -> None:
    """Run a command; if it fails, so does the build."""
    if subprocess.run(command, cwd=ROOT, env=environ()).returncode != 0:
        sys.exit(f"Not built: {' '.join(command[:3])} failed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
