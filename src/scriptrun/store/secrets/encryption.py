"""The content of a secret's file: the encrypted value, or a mark that the system keyring has it.

Encryption is Fernet (https://github.com/fernet/spec): AES-128-CBC and HMAC-SHA256. The key is
derived from the variable ``SCRIPTRUN_SECRETS_KEY`` if it is set, else it is in a file of mode 0600
next to the folder (``secrets.key``), created on first use: a backup or sync of the folder then has
no values. Whoever can read both files, as the user and root can, has the secrets.
"""

from __future__ import annotations

import base64
import importlib
import os
import sys
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.errors import SecretException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    from types import ModuleType

    from cryptography import fernet
    from keyring.backend import KeyringBackend
else:
    hashlib = later("hashlib")

#: the first line of a file that scriptrun wrote; any other file is a plain value
_FERNET = b"scriptrun secret: fernet\n"
_KEYRING = b"scriptrun secret: keyring\n"
SERVICE = "scriptrun"
KEY_VARIABLE = "SCRIPTRUN_SECRETS_KEY"


def put(folder: Path, name: str, value: str) -> tuple[bytes, str]:
    """Store the value; returns the content for the secret's file, and where it is, in words."""
    store = _key_store()
    if store is not None:
        try:
            store.set_password(SERVICE, name, value)
            return _KEYRING, f"the system keyring ({store.name.split()[0]})"
        except Exception as error:  # whatever a key store raises, the file remains
            raise _keyring_error(name, error) from None
    token = _cipher(folder, name, create=True).encrypt(value.encode("utf-8"))
    return _FERNET + token + b"\n", f"{folder}, encrypted"


def value(folder: Path, name: str, content: bytes) -> str:
    """The secret's value, from the content of its file. Raises SecretException."""
    if content.startswith(_FERNET):
        return _decrypt(folder, name, content[len(_FERNET) :].strip())
    if content.startswith(_KEYRING):
        return _from_key_store(name)
    return content.decode("utf-8", "replace").strip()


def forget(name: str, content: bytes) -> None:
    """Remove the value from the system keyring if it is there."""
    if not content.startswith(_KEYRING):
        return
    keyring = _keyring()
    try:
        keyring.delete_password(SERVICE, name)
    except keyring.errors.PasswordDeleteError:
        pass  # it is gone already
    except Exception as error:
        raise _keyring_error(name, error) from None


def key_file(folder: Path) -> Path:
    """The file of the key that is used if no variable sets one."""
    return folder.parent / f"{folder.name}.key"


def _cipher(folder: Path, name: str, create: bool = False) -> fernet.Fernet:
    _require_cryptography()
    from cryptography.fernet import Fernet

    passphrase = os.environ.get(KEY_VARIABLE)
    if passphrase:
        return Fernet(_derive_key(passphrase))
    path = key_file(folder)
    if create:
        _ensure_key(path, Fernet.generate_key() + b"\n")
    try:
        with files.open_record(path) as handle:
            return Fernet(handle.read().strip())
    except FileNotFoundError:
        raise SecretException(
            f"Secret {name!r} is encrypted, but its key {path} is missing.",
            f"Set {KEY_VARIABLE} if the secret was stored with it, or store the secret again: "
            f"scriptrun secret set {name}",
        ) from None
    except OSError as error:
        raise SecretException(
            f"The key {path} of secret {name!r} cannot be read: {error.strerror}.",
            "Restore it from a backup, or remove it and store your secrets again.",
        ) from None
    except ValueError:
        raise SecretException(
            f"{str(path)!r} is not a valid encryption key.",
            "Restore it from a backup, or remove it and store your secrets again.",
        ) from None


def _require_cryptography() -> None:
    """Raises SecretException where it is missing, as it may be in another Python (``exec``)."""
    try:
        importlib.import_module("cryptography.fernet")
    except ImportError as error:
        raise SecretException(
            f"Encrypted secrets require the package cryptography, which {sys.executable} "
            f"cannot import: {error}.",
            f"Run: {sys.executable} -m pip install cryptography",
        ) from None


def _ensure_key(path: Path, key: bytes) -> None:
    """Write the key unless there is one; an empty file, left by a power cut, is none."""
    if path.exists() and path.stat().st_size == 0:
        files.write_atomic(path, key, 0o600)
    elif not path.exists():
        files.publish(path, key, 0o600)


def _derive_key(text: str) -> bytes:
    """A Fernet key derived from any text; slow on purpose, since people choose short ones."""
    derived = hashlib.scrypt(text.encode("utf-8"), salt=b"scriptrun secrets", n=2**14, r=8, p=1)
    return base64.urlsafe_b64encode(derived[:32])


def _decrypt(folder: Path, name: str, token: bytes) -> str:
    _require_cryptography()
    from cryptography.fernet import InvalidToken

    try:
        text: bytes = _cipher(folder, name).decrypt(token)
    except InvalidToken:
        key = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else str(key_file(folder))
        raise SecretException(
            f"Secret {name!r} was encrypted with a different key than {key}.",
            f"Use the original key, or store the secret again: scriptrun secret set {name}",
        ) from None
    return text.decode("utf-8")


def _keyring() -> ModuleType:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise SecretException(
            "The secret is in the system keyring, but the package keyring is not installed.",
            "Run: pip install 'scriptrun[keyring]'",
        ) from None
    library: ModuleType = keyring
    return library


def _key_store() -> KeyringBackend | None:
    """The system keyring's best backend, or None.

    Backends of low priority store plain files: they count only if the user has chosen them.
    """
    if os.environ.get("SCRIPTRUN_SECRETS"):
        return None
    try:
        import keyring
    except ImportError:
        return None
    chosen = keyring.get_keyring()
    min_priority = 0.1 if os.environ.get("PYTHON_KEYRING_BACKEND") else 1
    backends = [
        backend
        for backend in getattr(chosen, "backends", (chosen,))
        if _priority(backend) >= min_priority
    ]
    return max(backends, key=_priority, default=None)


def _priority(store: KeyringBackend) -> float:
    try:
        return float(store.priority)
    except Exception:  # an unavailable backend raises here
        return -1.0


def _from_key_store(name: str) -> str:
    try:
        password: str | None = _keyring().get_password(SERVICE, name)
    except SecretException:
        raise
    except Exception as error:
        raise _keyring_error(name, error) from None
    if password is None:
        raise SecretException(
            f"Secret {name!r} is missing from the system keyring.",
            f"Store it again: scriptrun secret set {name}",
        )
    return password


def _keyring_error(name: str, error: Exception) -> SecretException:
    return SecretException(
        f"The system keyring failed for secret {name!r}: {type(error).__name__}: {error}.",
        "Unlock it, or set SCRIPTRUN_SECRETS to a folder for encrypted files.",
    )
