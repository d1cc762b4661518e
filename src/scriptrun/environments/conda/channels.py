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
from scriptrun.spec import url_logins
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the channels in ``defaults``, unless conda's settings name others
DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_ALIAS = "https://conda.anaconda.org"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_TOKEN = re.compile(r"/t/(?!\$\{)[^/\s]+(?=/)")
_TOKEN = re.compile(r"/t/[^/\s]+(?=/)")


def normalize(names: Iterable[str]) -> tuple[str, ...]:
    """The URLs of the channels, in order and without duplicates, with ``defaults`` expanded.

    Without any (``nodefaults`` is not a channel), those in conda's settings, else conda-forge.
    Variables stay as ``${NAME}``.
    """
    settings = conda_settings.settings()
    channels = [name for name in map(str.strip, names) if name and name != "nodefaults"]
    if not channels:
        channels = [
            configured
            for configured in conda_settings.as_list(settings.get("channels"))
            if configured != "nodefaults"
        ]
    addresses: list[str] = []
    for channel in channels or ["conda-forge"]:
        addresses += _addresses(channel, settings)
    return tuple(dict.fromkeys(addresses))


def problems(channels: Iterable[str]) -> list[str]:
    """Problems with the channels: a password, an unset variable, a missing secret."""
    messages = []
    for channel in channels:
        has_password = any(login.is_secret and login.password for login in url_logins.find(channel))
        if has_password or _SECRET_TOKEN.search(channel):
            shown = _SECRET_TOKEN.sub("/t/***", url_logins.mask(channel))
            messages.append(
                f"channel {shown!r} contains a password; use a variable or secret instead "
                "(${NAME} or ${secret:NAME}), or ~/.netrc"
            )
        messages += [
            f"channel {url_logins.mask(channel)!r} uses the variable {name}, which is not set"
            for name in _VARIABLE.findall(channel)
            if name not in os.environ
        ]
        messages += [
            f"channel {url_logins.mask(channel)!r} uses the secret {name!r}, which does not "
            f"exist; run: scriptrun secret set {name}"
            for name in index_credentials.secret_names(channel)
            if not vault.exists(name)
        ]
    return messages


def fill_variables(channel: str) -> str:
    """The channel with the values of its variables: for rattler only, never stored."""
    messages = problems([channel])
    if messages:
        raise EnvironmentException(" ".join(messages))
    text, values = index_credentials.filled(channel)
    return _VARIABLE.sub(lambda match: {**os.environ, **values}[match[1]], text)


def logins(channels: Iterable[str]) -> dict[str, str]:
    """``USER:PASSWORD`` by host, from the channels and the secrets ``index-HOST``."""
    by_host = {}
    for address in map(urlsplit, map(fill_variables, channels)):
        login, _, host = address.netloc.rpartition("@")
        login = login or index_credentials.login_for(host)
        if login:
            by_host[address.hostname or host] = unquote(login)
    return by_host


def without_login(address: str) -> str:
    """``address`` without user name and password; a token stays, since it is part of the path."""
    return url_logins.remove(address)


def redact(address: str) -> str:
    """``address`` without user name, password and token."""
    return _TOKEN.sub("", without_login(address))


def with_token(address: str, channels: Iterable[str]) -> str:
    """``address`` from a lockfile, with the token of its channel."""
    for channel in channels:
        full_address = without_login(fill_variables(channel)).rstrip("/") + "/"
        if address.startswith(redact(full_address)):
            return full_address + address.removeprefix(redact(full_address))
    return address


def _addresses(channel: str, settings: Json) -> list[str]:
    if channel == "defaults":
        return [
            part
            for name in conda_settings.as_list(settings.get("default_channels")) or DEFAULTS
            for part in _addresses(name, {**settings, "default_channels": None})
        ]
    if "://" in channel:
        return [channel.rstrip("/")]
    if channel.startswith(("/", "~", "./", "../")):
        return ["file://" + os.path.abspath(os.path.expanduser(channel))]
    first, _, rest = channel.partition("/")
    custom = settings.get("custom_channels")
    base = custom.get(first) if isinstance(custom, dict) else None
    base = base or settings.get("channel_alias") or _ALIAS
    return ["/".join(segment for segment in (str(base).rstrip("/"), first, rest) if segment)]
