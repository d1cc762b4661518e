"""Versions that never change, the words beside them, and how a secret's file holds its value."""

from __future__ import annotations

import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.spec.errors import SecretException, WorkspaceException
from scriptrun.store.secrets import encryption
from scriptrun.store.versions import VersionStore


def test_words_are_said_over_what_was_kept_and_what_was_kept_stays(tmp_path):
    heads = VersionStore(tmp_path)
    assert (heads.names(), heads.versions("m")) == ([], [])
    assert heads.add("m", {"a": 1, "tags": {"x": "1"}}) == 1
    heads.change("m", 1, {"tags": {"y": "2"}, "description": "said"})
    heads.change("m", 1, {"description": "anew"})
    told = heads.get("m", 1)
    assert told == {**told, "a": 1, "tags": {"y": "2"}, "description": "anew"}
    assert (told["name"], told["version"]) == ("m", 1)
    kept = heads.original("m", 1)
    assert (kept["tags"], kept.get("description")) == ({"x": "1"}, None)


def test_the_words_are_no_version(tmp_path):
    heads = VersionStore(tmp_path)
    heads.add("m", {"a": 1})
    heads.change("m", 1, {"tags": {}})
    assert heads.versions("m") == [1]
    assert heads.add("m", {"a": 1}) == 1, "the words do not make it another"
    assert heads.add("m", {"a": 2}) == 2
    assert heads.names() == ["m"]


def test_the_words_of_one_version_are_not_those_of_another(tmp_path):
    heads = VersionStore(tmp_path)
    for number in (1, 2):
        heads.add("m", {"a": number})
    heads.change("m", 1, {"tags": {"of": "first"}})
    assert "tags" not in heads.get("m", 2)


def test_a_version_that_is_removed_is_gone_with_its_words(tmp_path):
    heads = VersionStore(tmp_path)
    for number in (1, 2):
        heads.add("m", {"a": number})
        heads.change("m", number, {"tags": {"n": str(number)}})
    heads.remove("m", 1)
    assert heads.versions("m") == [2]
    with pytest.raises(WorkspaceException):
        heads.get("m", 1)
    assert heads.get("m", 2)["tags"] == {"n": "2"}
    heads.remove("m", 2)
    assert heads.versions("m") == []
    heads.remove("m", 2)
    assert heads.add("m", {"a": 3}) >= 1
    assert "tags" not in heads.get("m", heads.versions("m")[-1])


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "é ü", "CON"])
def test_odd_names_keep_within_the_folder(tmp_path, name):
    heads = VersionStore(tmp_path / "root")
    heads.add(name, {"a": 1})
    heads.change(name, 1, {"b": 2})
    assert heads.names() == [name]
    assert heads.get(name, 1)["b"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    heads.remove(name, 1)
    assert heads.versions(name) == []


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where secrets are encrypted files, whatever key store this machine has."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(folder))
    monkeypatch.delenv(encryption.KEY_VARIABLE, raising=False)
    return folder


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_value_comes_back_and_does_not_stand_in_its_file(value, place):
    content, _ = encryption.put(place, "token", value)
    assert encryption.value(place, "token", content) == value
    if len(value) > 5:
        assert value.encode() not in content


def test_the_key_lies_beside_the_folder_for_its_user_alone(place):
    encryption.put(place, "one", "1")
    key = encryption.key_file(place)
    assert key.parent == place.parent
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    encryption.put(place, "two", "2")
    assert key.read_bytes() == before
    assert list(place.iterdir()) == [], "the file itself is written by the vault"


def test_equal_values_do_not_look_equal(place):
    assert encryption.put(place, "a", "same")[0] != encryption.put(place, "a", "same")[0]


def test_a_key_that_is_gone_damaged_or_another_is_said_by_name(place):
    content, _ = encryption.put(place, "token", "value")
    key = encryption.key_file(place)
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(SecretException, match="token") as gone:
        encryption.value(place, "token", content)
    assert str(key) in gone.value.message
    assert not key.exists(), "reading makes no key"
    key.write_bytes(b"no key\n")
    with pytest.raises(SecretException) as damaged:
        encryption.value(place, "token", content)
    assert str(key) in damaged.value.message
    key.unlink()
    encryption.put(place, "other", "makes a new key")
    with pytest.raises(SecretException, match="token"):
        encryption.value(place, "token", content)
    key.write_bytes(kept)
    assert encryption.value(place, "token", content) == "value"


@pytest.mark.parametrize("phrase", ["short", "ein längerer Satz mit Umläuten", "x" * 500])
def test_a_key_of_any_text_leaves_no_file(place, monkeypatch, phrase):
    monkeypatch.setenv(encryption.KEY_VARIABLE, phrase)
    content, _ = encryption.put(place, "token", "value")
    assert not encryption.key_file(place).exists()
    assert encryption.value(place, "token", content) == "value"
    monkeypatch.setenv(encryption.KEY_VARIABLE, phrase + "!")
    with pytest.raises(SecretException, match=encryption.KEY_VARIABLE):
        encryption.value(place, "token", content)
    monkeypatch.delenv(encryption.KEY_VARIABLE)
    with pytest.raises(SecretException, match="token"):
        encryption.value(place, "token", content)


@pytest.mark.parametrize("at", [30, 60, -3])
def test_a_changed_byte_is_noticed(place, at):
    content = bytearray(encryption.put(place, "token", "value")[0])
    content[at] = ord("A") if content[at] != ord("A") else ord("B")
    with pytest.raises(SecretException, match="token"):
        encryption.value(place, "token", bytes(content))


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"plain\n", "plain"), (b"", ""), (b"  two words \n", "two words"), (b"\xff", "\ufffd")],
)
def test_a_file_of_ones_own_is_a_value_in_itself(place, content, value):
    assert encryption.value(place, "token", content) == value
    encryption.forget("token", content)


def test_two_processes_that_make_the_key_at_once_agree(place):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from scriptrun.store.secrets import encryption as e;"
        "sys.stdin.readline();"
        "sys.stdout.buffer.write(e.put(Path(sys.argv[1]), 'n', sys.argv[2])[0])"
    )
    words = [sys.executable, "-c", code, str(place)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen([*words, each], stdin=pipe, stdout=pipe) for each in "ab"]
    for each in started:
        each.stdin.write(b"go\n")
        each.stdin.flush()
    made = [each.communicate()[0] for each in started]
    assert [encryption.value(place, "n", content) for content in made] == ["a", "b"]
