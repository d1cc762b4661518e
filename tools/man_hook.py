"""Puts the manual pages into the wheel, as ``share/man/man1``."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "share/man/man1"


class ManualPages(BuildHookInterface):
    """Writes the pages into a temporary folder while the wheel is built."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Name the pages to the builder; an editable installation has none."""
        if version == "editable":
            return
        self.folder = tempfile.TemporaryDirectory()
        spec = importlib.util.spec_from_file_location(
            "man_pages", Path(self.root, "tools", "man_pages.py")
        )
        man_pages = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(man_pages)
        man_pages.write(Path(self.folder.name))
        for page in sorted(Path(self.folder.name).iterdir()):
            build_data["shared_data"][str(page)] = f"{FOLDER}/{page.name}"

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            self.folder.cleanup()
