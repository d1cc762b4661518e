"""Parse a web server's index page of a folder: the files and folders that it links.

Apache, nginx, Python's http.server and others return such a page for a folder's URL. There is no
standard for it, so only links to direct children of the folder count.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from scriptrun.data.stores.protocol import is_safe

#: the href attribute of an <a> element, with double, single or no quotes
_HREF = re.compile(r"""<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.I)


def links(page: str, url: str) -> list[str]:
    """The names that the page at ``url`` links in its folder, sorted; folders end with a slash."""
    import html

    hrefs = ("".join(groups) for groups in _HREF.findall(page))
    names = {_link_name(urljoin(url, html.unescape(href)), url) for href in hrefs}
    return sorted(names - {""})


def _link_name(link: str, url: str) -> str:
    """The name of ``link`` if it is a direct child of the folder ``url``, else ""."""
    parts, base = urlsplit(link), urlsplit(url)
    folder = unquote(base.path).rpartition("/")[0] + "/"
    path = unquote(parts.path)
    if parts[:2] != base[:2] or parts.query or not path.startswith(folder):
        return ""  # another server, or the same page with another sort order
    name = path[len(folder) :]
    return name if is_safe(name.removesuffix("/")) and "/" not in name[:-1] else ""
