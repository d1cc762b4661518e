"""Parse a web server's index page of a folder: the files and folders that it links.

Apache, nginx, Python's http.server and others return such a page for a folder's URL. There is no
standard for it, so only links to direct children of the folder count.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from scriptrun.data.stores.protocol import is_safe

#: an <a> element with its attributes. No pattern here searches a page more than once.
_LINK = re.compile(r"<a\s([^<>]*)", re.I)
#: the href attribute, with double, single or no quotes
_HREF = re.compile(r"""(?:^|\s)href\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.I)


def links(page: str, url: str) -> list[str]:
    """The names that the page at ``url`` links in its folder, sorted; folders end with a slash."""
    import html

    elements = (_HREF.search(element[1]) for element in _LINK.finditer(page))
    hrefs = ("".join(found.groups("")) for found in elements if found)
    names = {_link_name(url, html.unescape(href)) for href in hrefs if len(href) <= _MAX_LINK}
    return sorted(names - {""})


#: characters of a link, more than servers accept
_MAX_LINK = 8192


def _link_name(url: str, href: str) -> str:
    """The name of ``href`` if it is a direct child of the folder ``url``, else ""."""
    try:
        parts, base = urlsplit(urljoin(url, href)), urlsplit(url)
    except ValueError:  # no address at all
        return ""
    folder = unquote(base.path).rpartition("/")[0] + "/"
    path = unquote(parts.path)
    if parts[:2] != base[:2] or parts.query or not path.startswith(folder):
        return ""  # another server, or the same page with another sort order
    name = path[len(folder) :]
    return name if is_safe(name.removesuffix("/")) and "/" not in name[:-1] else ""
