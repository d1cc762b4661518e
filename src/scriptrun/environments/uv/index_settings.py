"""Translate pip's index settings for uv: where `pip install` works, a build should.

uv reads neither pip's variables nor its configuration files (https://docs.astral.sh/uv/pip/compatibility/).
They are passed on unless uv has its own index settings. pip takes the best version of all
indexes, and so does uv then (``unsafe-best-match``). pip's files and their order are documented at
https://pip.pypa.io/en/stable/topics/configuration/.
"""

from __future__ import annotations

import configparser
import os
import sys
import urllib.parse

_UV_INDEX_VARIABLES = (
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_CONFIG_FILE",
)

_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
}


def as_uv_variables() -> dict[str, str]:
    """pip's settings as uv's variables; {} if uv has its own index settings."""
    if any(os.environ.get(name) for name in _UV_INDEX_VARIABLES) or _uv_has_config_file():
        return {}
    pip_settings = settings()
    translated = {
        _UV_NAMES[name]: _uv_value(name, value)
        for name, value in pip_settings.items()
        if name in _UV_NAMES
    }
    variables = {name: value for name, value in translated.items() if value}
    if pip_settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        variables["UV_NO_INDEX"] = "1"
    if "UV_EXTRA_INDEX_URL" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables


def settings() -> dict[str, str]:
    """pip's settings for installing, by their long names: variables override files."""
    values: dict[str, str] = {}
    for path in files():
        values.update(_read(path))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            values[name[4:].lower().replace("_", "-")] = value
    return values


def files() -> list[str]:
    """pip's configuration files in the order in which they override one another."""
    configured = os.environ.get("PIP_CONFIG_FILE", "")
    if configured == os.devnull:
        return []
    home = os.path.expanduser("~")
    shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    paths = [os.path.join(folder, "pip", "pip.conf") for folder in shared.split(os.pathsep)]
    paths += [
        "/etc/pip.conf",
        os.path.join(home, ".pip", "pip.conf"),
        os.path.join(user, "pip", "pip.conf"),
    ]
    paths += [os.path.join(sys.prefix, "pip.conf"), configured]
    return [path for path in paths if path and os.path.isfile(path)]


def _read(path: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return {}
    sections = [name for name in ("global", "install") if parser.has_section(name)]
    return {
        key.replace("_", "-"): value
        for section in sections
        for key, value in parser.items(section)
        if value
    }


def _uv_value(name: str, value: str) -> str:
    if name != "find-links":
        return " ".join(value.split())
    addresses = map(os.path.expanduser, value.split())
    return ",".join(address for address in addresses if not _is_missing(address))


def _is_missing(address: str) -> bool:
    """Whether ``address`` is a missing path or file:// URL, which pip ignores and uv rejects."""
    if "://" not in address:
        return not os.path.exists(address)
    path = address.partition("://")[2].partition("#")[0]
    return address.startswith("file://") and not os.path.exists(urllib.parse.unquote(path))


def _uv_has_config_file() -> bool:
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return any(
        os.path.isfile(path) for path in (os.path.join(user, "uv", "uv.toml"), "/etc/uv/uv.toml")
    )
