"""Conda channels: names to URLs, conda's own settings, credentials added and removed.

Channel names mean what they mean to conda: https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/channels.html
and its ``.condarc`` (channel_alias, channels, default_channels, custom_channels).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from scriptrun.environments.conda import settings as conda_settings
from scriptrun.environments.uv import index_credentials
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: the channels in ``defaults``, unless conda's settings name others
DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_ALIAS = "https://conda.anaconda.org"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET = re.compile(r"(?<=://)(?![^/@\s]*\$\{)[^/@\s]*:([^/@\s]+)(?=@)|/t/(?!\$\{)([^/\s]+)(?=/)")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_TOKEN = re.compile(r"/t/[^/\s]+(?=/)")


def of(asked: Iterable[str]) -> tuple[str, ...]:
    """The URLs of the channels, in order and without duplicates, with ``defaults`` expanded.

    Without any (``nodefaults`` is not a channel), those in conda's settings, else conda-forge.
    Variables stay as ``${NAME}``.
    """
    settings = conda_settings.settings()
    wanted = [each for each in map(str.strip, asked) if each and each != "nodefaults"]
    if not wanted:
        wanted = [
            each for each in conda_settings.listed(settings.get("channels")) if each != "nodefaults"
        ]
    found: list[str] = []
    for channel in wanted or ["conda-forge"]:
        found += _address(channel, settings)
    return tuple(dict.fromkeys(found))


def troubles(asked: Iterable[str]) -> list[str]:
    """Problems with the channels: a password, an unset variable, a missing secret."""
    found = []
    for channel in asked:
        secret = _SECRET.search(channel)
        if secret:
            shown = channel.replace(secret[1] or secret[2], "***")
            found.append(
                f"channel {shown!r} contains a password; use a variable or secret instead "
                "(${NAME} or ${secret:NAME}), or ~/.netrc"
            )
        found += [
            f"channel {channel!r} uses the variable {name}, which is not set"
            for name in _VARIABLE.findall(channel)
            if name not in os.environ
        ]
        found += [
            f"channel {channel!r} uses the secret {name!r}, which does not exist; run: "
            f"scriptrun secret set {name}"
            for name in index_credentials.named(channel)
            if not vault.exists(name)
        ]
    return found


def expanded(channel: str) -> str:
    """The channel with the values of its variables: for rattler only, never stored."""
    reasons = troubles([channel])
    if reasons:
        raise EnvironmentException(" ".join(reasons))
    text, values = index_credentials.filled(channel)
    return _VARIABLE.sub(lambda match: {**os.environ, **values}[match[1]], text)


def logins(channels: Iterable[str]) -> dict[str, str]:
    """``USER:PASSWORD`` by host, from the channels and the secrets ``index-HOST``."""
    found = {}
    for address in map(urlsplit, map(expanded, channels)):
        login, _, host = address.netloc.rpartition("@")
        login = login or index_credentials.of_host(host)
        if login:
            found[address.hostname or host] = unquote(login)
    return found


def without_login(address: str) -> str:
    """``address`` without user name and password; a token stays, since it is part of the path."""
    return _LOGIN.sub("", address)


def bare(address: str) -> str:
    """``address`` without user name, password and token."""
    return _TOKEN.sub("", without_login(address))


def filled(address: str, channels: Iterable[str]) -> str:
    """``address`` from a lockfile, with the token of its channel."""
    for channel in channels:
        whole = without_login(expanded(channel)).rstrip("/") + "/"
        if address.startswith(bare(whole)):
            return whole + address.removeprefix(bare(whole))
    return address


def _address(channel: str, settings: dict[str, Any]) -> list[str]:
    if channel == "defaults":
        return [
            part
            for each in conda_settings.listed(settings.get("default_channels")) or DEFAULTS
            for part in _address(each, {**settings, "default_channels": None})
        ]
    if "://" in channel:
        return [channel.rstrip("/")]
    if channel.startswith(("/", "~", "./", "../")):
        return ["file://" + os.path.abspath(os.path.expanduser(channel))]
    first, _, rest = channel.partition("/")
    custom = settings.get("custom_channels")
    base = custom.get(first) if isinstance(custom, dict) else None
    base = base or settings.get("channel_alias") or _ALIAS
    return ["/".join(each for each in (str(base).rstrip("/"), first, rest) if each)]
