"""The README and the links that a package index shows, made when the package is built.

No link is written into the project: where it is published is known when it is published.
``SCRIPTRUN_REPOSITORY_URL=https://host/owner/name`` (the release workflow sets it) gives the
package its links and makes the README's relative links absolute. Without it, the package has no
links, and the README keeps their text alone. A source archive keeps what it was built with.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "SCRIPTRUN_REPOSITORY_URL"
_IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+)\)")
#: a link, whose text may hold images
_LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^()\s]+)\)")
_REFERENCE = re.compile(r"^\[(?P<text>[^\]]+)\]:\s*(?P<target>\S+)$", re.MULTILINE)
_TAG = re.compile(r"<(?P<name>img|source|a)\b[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'(?P<name>\b(?:src|srcset|href))="(?P<target>[^"]+)"')
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


class PackageMetadata(MetadataHookInterface):
    """Adds what ``dynamic`` in pyproject.toml names, but for the version."""

    def update(self, metadata: dict) -> None:
        """Add the README and the links."""
        root, version = Path(self.root), version_of(Path(self.root))
        address = repository(root)
        readme = (root / "README.md").read_text("utf-8")
        content = absolute(readme, address, version)
        metadata["readme"] = {"content-type": "text/markdown", "text": content}
        metadata["urls"] = urls(address)


def version_of(root: Path) -> str:
    """The version, from the one place that has it."""
    source = (root / "src" / "scriptrun" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    assert found is not None
    return found[1]


def repository(root: Path) -> str:
    """The address of the repository; of a source archive, the one that it was built with."""
    information = root / "PKG-INFO"
    if information.exists():
        line = re.search(r"^Project-URL: Source, (\S+)$", information.read_text("utf-8"), re.M)
        return line[1] if line else ""
    return os.environ.get(VARIABLE, "").rstrip("/")


def urls(address: str) -> dict[str, str]:
    """The package's links."""
    if not address:
        return {}
    return {
        "Documentation": f"{address}/blob/main/docs/index.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
        "Source": address,
    }


def absolute(readme: str, address: str, version: str) -> str:
    """``readme`` with absolute links to the files of that version, or without relative links."""

    def place(target: str, kind: str) -> str:
        """The address of ``target``; "" if it has none on an index."""
        if re.match(r"[a-z]+:", target):
            return target
        if not address or target.startswith("#"):
            return ""
        return f"{address}/{kind}/v{version}/{target}"

    def image(match: re.Match[str]) -> str:
        found = place(match["target"], "raw")
        return f"![{match['text']}]({found})" if found else ""

    def link(match: re.Match[str]) -> str:
        found = place(match["target"], "blob")
        return f"[{match['text']}]({found})" if found else match["text"]

    def reference(match: re.Match[str]) -> str:
        found = place(match["target"], "blob")
        return f"[{match['text']}]: {found}" if found else ""

    def tag(match: re.Match[str]) -> str:
        kind = "blob" if match["name"].lower() == "a" else "raw"
        targets = [place(each["target"], kind) for each in _ATTRIBUTE.finditer(match[0])]
        if not all(targets):
            return "<a>" if kind == "blob" else ""
        found = iter(targets)
        return _ATTRIBUTE.sub(lambda each: f'{each["name"]}="{next(found)}"', match[0])

    text = _COMMENT.sub("", readme)
    for pattern, replace in (
        (_IMAGE, image), (_LINK, link), (_REFERENCE, reference), (_TAG, tag)
    ):  # fmt: skip
        text = pattern.sub(replace, text)
    return text
