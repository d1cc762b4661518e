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
TIMEOUT = 120.0
_SOURCE_COMMAND = (
    'for each do . "$each" >&2; done; exec "$SCRIPTRUN_PYTHON" -I -S -c "$SCRIPTRUN_PRINT"'
)
_PRINT_COMMAND = (
    "import os, sys; "
    "sys.stdout.buffer.write(b'\\0'.join(k + b'=' + v for k, v in os.environb.items()))"
)
_INTERNAL_VARIABLES = ("SCRIPTRUN_PYTHON", "SCRIPTRUN_PRINT", "_", "SHLVL", "PWD", "OLDPWD")


def find_prefix(bin_folder: "str | None") -> "str | None":
    """The conda prefix that ``bin_folder`` belongs to, or None."""
    prefix = os.path.dirname(bin_folder or "")
    return prefix if prefix and os.path.isdir(os.path.join(prefix, "conda-meta")) else None


def activate(prefix: str, environ: "dict[str, str]") -> "dict[str, str]":
    """``environ`` after ``conda activate prefix``.

    Raises OSError if an activation script exits the shell or hangs.
    """
    changed = dict(environ)
    for name in [variable for variable in changed if variable.startswith("CONDA_PREFIX_")]:
        del changed[name]
    changed.pop("VIRTUAL_ENV", None)
    changed.update(
        CONDA_PREFIX=prefix,
        CONDA_DEFAULT_ENV=prefix,
        CONDA_SHLVL="1",
        PATH=os.pathsep.join([os.path.join(prefix, "bin"), environ.get("PATH") or os.defpath]),
    )
    changed.update(settings(prefix))
    script_paths = scripts(prefix)
    return _run_scripts(script_paths, changed) if script_paths else changed


def scripts(prefix: str) -> "list[str]":
    """The activation scripts of ``prefix``, in order."""
    return _list_files(os.path.join(prefix, "etc", "conda", "activate.d"), ".sh")


def settings(prefix: str) -> "dict[str, str]":
    """The variables set by the prefix's packages and by its user."""
    variables = {}
    for path in _list_files(os.path.join(prefix, "etc", "conda", "env_vars.d"), ".json"):
        variables.update(_read_object(path))
    variables.update(
        _read_object(os.path.join(prefix, "conda-meta", "state")).get("env_vars") or {}
    )
    return {str(name): str(value) for name, value in variables.items() if value != "***unset***"}


def _list_files(folder: str, suffix: str) -> "list[str]":
    """The files of ``folder`` that end with ``suffix``, sorted; importing glob would take 1 ms."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    matches = [name for name in names if name.endswith(suffix) and not name.startswith(".")]
    return [os.path.join(folder, name) for name in matches]


def _read_object(path: str) -> "Json":
    try:
        with open(path, encoding="utf-8") as handle:
            value = json.load(handle)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _run_scripts(script_paths: "list[str]", environ: "Mapping[str, str]") -> "dict[str, str]":
    import subprocess  # loaded only for prefixes with scripts

    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    shell_environ = dict(environ, SCRIPTRUN_PYTHON=sys.executable, SCRIPTRUN_PRINT=_PRINT_COMMAND)
    try:
        result = subprocess.run(
            [shell, "-c", _SOURCE_COMMAND, shell] + script_paths,
            env=shell_environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, _failure_message(script_paths, "timed out")) from None
    pairs = [item.split(b"=", 1) for item in result.stdout.split(b"\0") if b"=" in item]
    if not pairs:
        last_line = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        reason = last_line[0] if last_line else "exit code {}".format(result.returncode)
        raise OSError(errno.ENOEXEC, _failure_message(script_paths, reason))
    variables = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
    for name in _INTERNAL_VARIABLES:
        variables.pop(name, None)
        if name in environ:
            variables[name] = environ[name]
    return variables


def _failure_message(script_paths: "list[str]", reason: str) -> str:
    names = ", ".join(os.path.basename(path) for path in script_paths)
    return "activating the conda environment with {} failed: {}".format(names, reason)
