"""Activate a conda prefix, as ``conda activate`` does.

See https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/activation.html:
variables are in ``etc/conda/env_vars.d/*.json`` and ``conda-meta/state``, scripts in
``etc/conda/activate.d``. A shell runs the scripts, if any, when the job starts.
"""

import errno
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriptrun.runtime.hints import Json


#: seconds allowed for all activation scripts of a prefix
PATIENCE = 120.0
_SOURCE = 'for each do . "$each" >&2; done; exec "$SCRIPTRUN_PYTHON" -I -S -c "$SCRIPTRUN_PRINT"'
_PRINT = (
    "import os, sys; "
    "sys.stdout.buffer.write(b'\\0'.join(k + b'=' + v for k, v in os.environb.items()))"
)
_OURS = ("SCRIPTRUN_PYTHON", "SCRIPTRUN_PRINT", "_", "SHLVL", "PWD", "OLDPWD")


def of(bin_folder: "str | None") -> "str | None":
    """The conda prefix that ``bin_folder`` belongs to, or None."""
    prefix = os.path.dirname(bin_folder or "")
    return prefix if prefix and os.path.isdir(os.path.join(prefix, "conda-meta")) else None


def activated(prefix: str, environ: "dict[str, str]") -> "dict[str, str]":
    """``environ`` after ``conda activate prefix``.

    Raises OSError if an activation script exits the shell or hangs.
    """
    made = dict(environ)
    for name in [each for each in made if each.startswith("CONDA_PREFIX_")]:
        del made[name]
    made.pop("VIRTUAL_ENV", None)
    made.update(
        CONDA_PREFIX=prefix,
        CONDA_DEFAULT_ENV=prefix,
        CONDA_SHLVL="1",
        PATH=os.pathsep.join([os.path.join(prefix, "bin"), environ.get("PATH") or os.defpath]),
    )
    made.update(settings(prefix))
    found = scripts(prefix)
    return _sourced(found, made) if found else made


def scripts(prefix: str) -> "list[str]":
    """The activation scripts of ``prefix``, in order."""
    return _listed(os.path.join(prefix, "etc", "conda", "activate.d"), ".sh")


def settings(prefix: str) -> "dict[str, str]":
    """The variables set by the prefix's packages and by its user."""
    found = {}
    for path in _listed(os.path.join(prefix, "etc", "conda", "env_vars.d"), ".json"):
        found.update(_read(path))
    found.update(_read(os.path.join(prefix, "conda-meta", "state")).get("env_vars") or {})
    return {str(name): str(value) for name, value in found.items() if value != "***unset***"}


def _listed(folder: str, ending: str) -> "list[str]":
    """The files of ``folder`` that end with ``ending``, sorted; importing glob would take 1 ms."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = [name for name in names if name.endswith(ending) and not name.startswith(".")]
    return [os.path.join(folder, name) for name in found]


def _read(path: str) -> "Json":
    try:
        with open(path, encoding="utf-8") as handle:
            value = json.load(handle)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _sourced(files: "list[str]", environ: "Mapping[str, str]") -> "dict[str, str]":
    import subprocess  # loaded only for prefixes with scripts

    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    told = dict(environ, SCRIPTRUN_PYTHON=sys.executable, SCRIPTRUN_PRINT=_PRINT)
    try:
        done = subprocess.run(
            [shell, "-c", _SOURCE, shell] + files,
            env=told,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, _failed(files, "timed out")) from None
    pairs = [each.split(b"=", 1) for each in done.stdout.split(b"\0") if b"=" in each]
    if not pairs:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        reason = last[0] if last else "exit code {}".format(done.returncode)
        raise OSError(errno.ENOEXEC, _failed(files, reason))
    made = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
    for name in _OURS:
        made.pop(name, None)
        if name in environ:
            made[name] = environ[name]
    return made


def _failed(files: "list[str]", reason: str) -> str:
    names = ", ".join(os.path.basename(each) for each in files)
    return "activating the conda environment with {} failed: {}".format(names, reason)
