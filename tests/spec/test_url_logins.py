"""Logins are found in whatever form people write them, and nothing else is taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scriptrun.cli.options import datastore as datastore_options
from scriptrun.config.environments import index_logins
from scriptrun.core.dataset import Dataset
from scriptrun.core.datastore import Datastore
from scriptrun.core.workspace import Workspace
from scriptrun.environments.conda import channels
from scriptrun.environments.uv import errors as uv_errors
from scriptrun.environments.uv import requirements
from scriptrun.spec import url_logins
from scriptrun.spec.errors import UserErrorException
from scriptrun.store.secrets import vault
from scriptrun.submission import git_provenance

#: what a password may consist of; a marker shows whether any of it is left
SECRET = "Zq7Xv"
_ANY = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"<>`{}'), max_size=6
)
PASSWORDS = st.builds(lambda a, b: f"{a}{SECRET}{b}", _ANY, _ANY)
USERS = st.text(
    st.characters(codec="ascii", categories=["L", "N"], include_characters="-_.%$"),
    min_size=1,
    max_size=8,
)
SCHEMES = st.sampled_from(["https", "http", "HTTPS", "Http", "git+https", "ftp"])
HOSTS = st.sampled_from(["host", "example.org", "10.0.0.1:8080", "[::1]:80"])
PATHS = st.sampled_from(["", "/", "/simple", "/a/b.git@v1.0#egg=x", "?x=1", "/x y@z"])
LINES = st.sampled_from(
    ["{}", "--index-url {}", "violet @ {}", "-e {}", 'error: "{}" failed', "{} and {}"]
)


@st.composite
def urls(draw):
    """A line with a URL with a login, and its parts."""
    scheme, user, password = draw(SCHEMES), draw(USERS), draw(PASSWORDS)
    host, path = draw(HOSTS), draw(PATHS)
    return draw(LINES).replace("{}", f"{scheme}://{user}:{password}@{host}{path}"), password


@given(urls())
def test_nothing_of_a_password_is_left(case):
    line, password = case
    # a password that begins as a port and path is one: https://host:80/x@y
    start = re.split("[/?#]", password)[0]
    assume(not start.isdigit())
    # of one that holds an @ and what ends a host, nobody can say where it ends: https://u:p@h/x@y
    assume(start == password or "@" not in password)
    for clean in (
        url_logins.mask,
        url_logins.remove,
        uv_errors.redact,
        channels.without_login,
        channels.redact,
        lambda text: index_logins.replace_passwords([text])[0][0],
        lambda text: " ".join(requirements._line_problems(text, any_version=False)),
        lambda text: " ".join(channels.problems([text])),
        git_provenance._without_credentials,
    ):
        assert SECRET not in clean(line), clean


@given(st.text(st.sampled_from("ab:/@$%{}?#.-+ '\"htps1"), max_size=30))
def test_any_text_goes_through(text):
    logins = list(url_logins.find(text))
    assert all(text[login.end - 1] == "@" for login in logins)
    assert url_logins.replace(text, lambda login: None) == text
    assert not list(url_logins.find("plain text without any"))


@pytest.mark.parametrize(
    ("text", "user", "password", "host"),
    [
        ("https://u:pa$s@host/x", "u", "pa$s", "host"),
        ("HTTPS://u:p@host/x", "u", "p", "host"),
        ("https://u:p@ss@host:8080/x", "u", "p@ss", "host:8080"),
        ("https://me@corp.com:pw@host/x", "me@corp.com", "pw", "host"),
        ("https://token@host/x", "token", None, "host"),
        ("https://u:p/w@host/x@1", "u", "p/w", "host"),
        ("https://u:p#w?@host/x@1", "u", "p#w?", "host"),
        ("https://u:${secret:a@b}@host/", "u", "${secret:a@b}", "host"),
        ("https://${secret:x}:${secret:y}@host/", "${secret:x}", "${secret:y}", "host"),
        ("https://u:${oops@host/", "u", "${oops", "host"),
        ("git+ssh://git@host/a/b@v1", "git", None, "host"),
        ("https://:p@host/", "", "p", "host"),
        ("https://u:@host/", "u", "", "host"),
        ("https://u:@/p@host/", "u", "@/p", "host"),
        ("https://u:a@?p@host/", "u", "a@?p", "host"),
        ("https://u:p@/", "u", "p", ""),
    ],
)
def test_the_parts_of_a_login(text, user, password, host):
    (login,) = url_logins.find(text)
    assert (login.user, login.password, login.host) == (user, password, host)


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a@b",
        "https://host:8080/a@b",
        "https://[::1]:8080/a@b",
        "https://host?x=a@b",
        "https://host/x user@example.org",
        '["https://host","user@example.org"]',
        "git@host:a/b.git",
        "violet @ file:///wheels/violet@1.whl",
        "://@",
        "${secret:a@b}://x",
    ],
)
def test_what_is_no_login(text):
    assert list(url_logins.find(text)) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://u:p@h/", True),
        ("https://token@h/", True),
        ("git+https://token@h/", True),
        ("https://git@h/", False),
        ("git+ssh://me@h/", False),
        ("ssh://me:pw@h/", True),
        ("https://u:${secret:x}@h/", False),
        ("https://${TOKEN}@h/", False),
        ("https://u:@h/", False),
    ],
)
def test_what_is_a_secret(text, secret):
    (login,) = url_logins.find(text)
    assert login.is_secret is secret


def test_credentials_in_queries_are_masked_and_kept_out_of_records(monkeypatch):
    monkeypatch.setattr(vault, "_offered", {})
    line = "--find-links https://h/w?sv=1&sig=Zq%2F7&x=2 https://h/?X-Amz-Signature=abc&api_key=k"
    assert url_logins.mask(line) == (
        "--find-links https://h/w?sv=1&sig=***&x=2 https://h/?X-Amz-Signature=***&api_key=***"
    )
    (clean,), values = index_logins.replace_passwords([line])
    assert "Zq" not in clean and "=abc" not in clean and "x=2" in clean
    assert sorted(values.values()) == ["Zq/7", "abc", "k"]
    assert index_logins.replace_passwords([clean]) == ([clean], {})


def test_a_password_becomes_a_secret_with_its_value(monkeypatch):
    monkeypatch.setattr(vault, "_offered", {})
    (line,), values = index_logins.replace_passwords(["--index-url HTTPS://u:pa$s%40w@host/x"])
    assert line == "--index-url HTTPS://u:${secret:login-u-host}@host/x"
    assert values == {"login-u-host": "pa$s@w"} and vault.find("login-u-host") == "pa$s@w"


def test_long_texts_take_no_time_to_speak_of():
    for text in (
        "a" * 1_000_000,
        "://" * 300_000,
        "http://a:" * 100_000,
        "h://x:y" + "z/" * 500_000,
    ):
        url_logins.mask(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/x?sig=S3CRET",
        "https://u:S3CRET@[zz]/x",
        "http://h:port/x",
        "http://h:99999999/",
    ],
)
def test_what_is_no_url_is_refused_wherever_one_is_given(tmp_path, url):
    workspace = Workspace.create("w", path=tmp_path)
    options = {"url": url.replace("http", "ftp"), "options": []}
    for give in (
        lambda: url_logins.split_url(url),
        lambda: Dataset.File.from_files(url),
        lambda: Datastore.register_http(workspace, "s", url),
        lambda: datastore_options._fsspec_arguments("fsspec", options),
    ):
        with pytest.raises(UserErrorException, match="is not a valid URL") as caught:
            give()
        assert "S3CRET" not in str(caught.value)
