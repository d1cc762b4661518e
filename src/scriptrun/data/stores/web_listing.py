"""What a web server's index page of a folder links: its files and folders.

Apache, nginx, Python's http.server and others answer a folder's address with such a page; there is
no standard for it, so only links to what lies right in the folder count.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from scriptrun.data.stores.protocol import is_safe

#: where a link leads: the attribute href of an element a, quoted in one way, the other, or not
_HREF = re.compile(r"""<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.I)


def links(page: str, url: str) -> list[str]:
    """The names that the page at ``url`` links in its folder, sorted; folders end with a slash."""
    import html

    hrefs = ("".join(groups) for groups in _HREF.findall(page))
    found = {_name(urljoin(url, html.unescape(each)), url) for each in hrefs}
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
