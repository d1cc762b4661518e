"""What a web server's index page of a folder links: its files and folders.

Apache, nginx, Python's http.server and others answer a folder's address with such a page; there is
no standard for it, so only links to what lies right in the folder count.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from scriptrun.data.seam import is_safe


def links(page: str, url: str) -> list[str]:
    """The names that the page at ``url`` links in its folder, sorted; folders end with a slash."""
    parser = _Links()
    parser.feed(page)
    found = {_name(urljoin(url, each), url) for each in parser.found}
    return sorted(found - {""})


def _name(link: str, url: str) -> str:
    """What ``link`` names right in the folder ``url``, or ""."""
    parts, base = urlsplit(link), urlsplit(url)
    folder = unquote(base.path).rpartition("/")[0] + "/"
    path = unquote(parts.path)
    if parts[:2] != base[:2] or parts.query or not path.startswith(folder):
        return ""  # another server, or the same page in another order
    name = path[len(folder) :]
    return name if is_safe(name.removesuffix("/")) and "/" not in name[:-1] else ""


class _Links(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As HTMLParser calls it."""
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
