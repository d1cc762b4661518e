"""Where a secret lies: encrypted, or in a real key store; the store's file never has its value."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault

VALUE = "hunter2-is-a-poor-secret"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.delenv("SCRIPTRUN_SECRETS_KEY", raising=False)
    return tmp_path / "secrets"


def test_a_file_is_encrypted_and_its_key_lies_apart(place):
    told = vault.store("s", f" {VALUE}\n")
    assert "encrypted" in told and vault.find("s") == f" {VALUE}\n"
    key = place.with_name("secrets.key")
    for path in (place / "s", key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert VALUE.encode() not in path.read_bytes()
    key.write_bytes(b"k" * 43 + b"=\n")
    with pytest.raises(SecretException, match="a different key"):
        vault.find("s")
    key.write_bytes(b"nonsense")
    with pytest.raises(SecretException, match="not a valid encryption key"):
        vault.find("s")
    key.unlink()
    with pytest.raises(SecretException, match=r"its key .* is missing"):
        vault.find("s")


def test_the_key_may_come_from_the_environment(place, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS_KEY", "whatever people type")
    vault.store("s", VALUE)
    assert vault.find("s") == VALUE and not place.with_name("secrets.key").exists()
    monkeypatch.setenv("SCRIPTRUN_SECRETS_KEY", "something else")
    with pytest.raises(SecretException, match="a different key than SCRIPTRUN_SECRETS_KEY"):
        vault.find("s")


def test_a_file_of_somebody_else_is_the_value(place):
    place.mkdir()
    (place / "mounted").write_text(f"{VALUE}\n")
    assert vault.find("mounted") == VALUE and vault.exists("mounted")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_named_and_never_waited_for(place, make):
    vault.store("s", VALUE)
    key = place.with_name("secrets.key")
    key.unlink()
    make(key)
    with pytest.raises(SecretException, match=r"The key .* cannot be read"):
        vault.find("s")
    (place / "s").unlink()
    make(place / "s")
    with pytest.raises(SecretException, match="cannot be read"):
        vault.find("s")
    if make is os.mkfifo:
        vault.forget("s")
        assert vault.names() == []
    else:
        with pytest.raises(SecretException, match="cannot be removed"):
            vault.forget("s")


SESSION = """\
set -e
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
printf %s "$VALUE" | "$PYTHON" -m scriptrun secret set mine
"$PYTHON" -c 'import os; from scriptrun.store.secrets import vault as secrets; assert secrets.find("mine") == os.environ["VALUE"]'
"$PYTHON" -m scriptrun secret list
grep -rF "$VALUE" "$HOME" && exit 9
"$PYTHON" -m scriptrun secret remove mine
"$PYTHON" -c 'import keyring; assert keyring.get_password("scriptrun", "mine") is None'
"""


def test_the_systems_key_store_has_it(tmp_path):
    """gnome-keyring behind a session bus, as on a desktop."""
    for tool in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "VALUE": VALUE,
    }
    line = ["dbus-run-session", "--", "sh", "-c", SESSION]
    done = subprocess.run(line, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the system keyring (SecretService)" in done.stdout
    assert "mine" in done.stdout and "Removed mine" in done.stdout


def test_a_store_that_is_chosen_by_name_has_it(tmp_path):
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
    }
    environ.pop("SCRIPTRUN_SECRETS", None)
    code = "from scriptrun.store.secrets import vault as s; print(s.store('n', 'v1')); print(s.find('n'))"
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "v1"
    assert (tmp_path / "data" / "python_keyring" / "keyring_pass.cfg").exists()
    absent = {**environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    code = "from scriptrun.store.secrets import vault as s; s.find('n')"
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, env=absent, capture_output=True, text=True)
    assert "keyring failed for secret 'n'" in done.stderr


def test_a_python_without_cryptography_is_told_what_to_install(place, monkeypatch):
    vault.store("s", VALUE)
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    for action in (lambda: vault.store("t", VALUE), lambda: vault.find("s")):
        with pytest.raises(SecretException, match="require the package cryptography") as caught:
            action()
        assert caught.value.hint == f"Run: {sys.executable} -m pip install cryptography"
