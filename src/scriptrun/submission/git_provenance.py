"""Git provenance of the source, recorded under the SDK v1's property names."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.spec import url_logins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen


#: seconds that git may take before the run continues without its facts
PATIENCE = 20.0


class GitFacts:
    """Runs git in ``source`` in the background while the snapshot is taken."""

    def __init__(self, source: Path) -> None:
        self._process: Popen[bytes] | None = None
        self._root = _root_of(source)
        if self._root is None:
            return
        import subprocess

        command = ["git", "-C", str(source), "status", "--porcelain=v2", "--branch"]
        try:
            self._process = subprocess.Popen(
                [*command, "--untracked-files=normal", "--", "."],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_quiet_environment(),
            )
        except OSError:
            return  # no git: no facts, as in v1

    def properties(self) -> dict[str, str]:
        """The facts as properties; empty where there is no repository or no git."""
        if self._process is None or self._root is None:
            return {}
        import subprocess

        try:
            output, _ = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return {}
        if self._process.returncode:
            return {}
        facts = parse_status(output.decode("utf-8", "replace"))
        url = _origin_url(self._root)
        return _as_properties({**facts, "repository": url})


def parse_status(text: str) -> dict[str, str]:
    """``branch``, ``commit`` and ``dirty`` out of ``git status --porcelain=v2 --branch``."""
    facts = {"dirty": "False"}
    for line in text.splitlines():
        if line.startswith("# branch.oid "):
            facts["commit"] = line[len("# branch.oid ") :]
        elif line.startswith("# branch.head "):
            facts["branch"] = line[len("# branch.head ") :]
        elif line and not line.startswith("#"):
            facts["dirty"] = "True"
    if facts.get("commit") == "(initial)":
        del facts["commit"]
    return facts


def _as_properties(facts: dict[str, str]) -> dict[str, str]:
    names = {
        "repository": ("azureml.git.repository_uri", "mlflow.source.git.repoURL"),
        "branch": ("azureml.git.branch", "mlflow.source.git.branch"),
        "commit": ("azureml.git.commit", "mlflow.source.git.commit"),
        "dirty": ("azureml.git.dirty",),
    }
    return {name: facts[fact] for fact, keys in names.items() if facts.get(fact) for name in keys}


def _root_of(source: Path) -> Path | None:
    for folder in (source, *source.parents):
        if (folder / ".git").exists():
            return folder
    return None


def _quiet_environment() -> dict[str, str]:
    return {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _origin_url(root: Path) -> str:
    """The URL of the remote ``origin``, without credentials, or ""."""
    try:
        text = (_git_folder(root) / "config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == '[remote "origin"]' and line.replace(" ", "").startswith("url="):
            return _without_credentials(line.partition("=")[2].strip())
    return ""


def _git_folder(root: Path) -> Path:
    """The folder with the repository's config; for a linked work tree, the main repository's."""
    git_path = root / ".git"
    if git_path.is_dir():
        return git_path
    worktree_folder = root / git_path.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    common = worktree_folder / "commondir"
    return (
        worktree_folder / common.read_text(encoding="utf-8").strip()
        if common.exists()
        else worktree_folder
    )


def _without_credentials(url: str) -> str:
    return url_logins.mask(url_logins.remove(url))
