"""Every variable that scriptrun reads or sets, for the documentation; a test keeps it complete.

Those of settings are in ``keys``.
"""

from __future__ import annotations

from scriptrun.spec.values import Value

#: who sets a variable: the user, scriptrun for each job, or scriptrun for its own processes
BY_USER, IN_JOBS, INTERNAL = "user", "jobs", "internal"


class Variable(Value):
    """One variable: its name, meaning and default; ``set_by`` is one of the three above."""

    name: str
    help: str
    default: str = ""
    set_by: str = BY_USER


VARIABLES = (
    Variable(
        "SCRIPTRUN_WORKSPACE",
        "directory of the workspace. In jobs: that of the run's workspace",
        "the nearest one with a `.scriptrun/`",
    ),
    Variable(
        "SCRIPTRUN_SETTINGS",
        "directory of the user's settings file and of the list of trusted directories",
        "`$XDG_CONFIG_HOME/scriptrun`, else `~/.config/scriptrun`",
    ),
    Variable("SCRIPTRUN_NO_CONFIG", "any value: ignore all settings files", "unset"),
    Variable(
        "SCRIPTRUN_CACHE",
        "directory on a local disk for environments, data, indexes and locks",
        "`~/.cache/scriptrun`",
    ),
    Variable(
        "SCRIPTRUN_RUNTIME",
        "directory on a local disk for queues and process records, private to you",
        "`runtime` in the cache",
    ),
    Variable(
        "SCRIPTRUN_SLOTS",
        "directory of the machine's run slots and GPUs, shared by all users",
        "`/tmp/scriptrun-slots`",
    ),
    Variable(
        "SCRIPTRUN_SECRETS",
        "directory of encrypted secrets, used instead of the system keyring",
        "the keyring, else `~/.config/scriptrun/secrets`",
    ),
    Variable(
        "SCRIPTRUN_SECRETS_KEY",
        "passphrase of the encrypted secrets",
        "a key file that only you can read",
    ),
    Variable(
        "SCRIPTRUN_SECRET_<NAME>",
        "value of the secret NAME, in capitals and with `_` for other characters",
        "the stored secret",
    ),
    Variable(
        "SCRIPTRUN_ENVIRONMENTS",
        "directories of a team's environments, separated as in `PATH`",
        "`environments` in the workspace",
    ),
    Variable(
        "SCRIPTRUN_CONDA",
        "`conda` installs conda packages with conda only, `pypi` from PyPI only",
        "`auto`",
    ),
    Variable("SCRIPTRUN_BUILD_TIMEOUT", "seconds for one step of a build; `0`: no limit", "3600"),
    Variable(
        "SCRIPTRUN_ENVIRONMENT_CACHE_SIZE",
        "maximum size of the environment cache, e.g. `50GB`",
        "half of the disk space available to it",
    ),
    Variable(
        "SCRIPTRUN_DATA_CACHE_SIZE",
        "maximum size of the data cache, e.g. `200GB`",
        "half of the disk space available to it",
    ),
    Variable("SCRIPTRUN_DATA_TIMEOUT", "seconds to wait for a storage server", "60"),
    Variable("SCRIPTRUN_DATA_MAX_FILES", "maximum number of files in one listing", "20,000,000"),
    Variable(
        "SCRIPTRUN_LINKED_SIZE",
        "maximum size of files that outputs link to outside of the working directory",
        "half of the free disk space, at most 100 GB",
    ),
    Variable(
        "SCRIPTRUN_CONTAINER_TOOL",
        "container program, by name or path; `none` disables containers",
        "`podman`, else `docker`",
    ),
    Variable("SCRIPTRUN_SSH_CONFIG", "configuration file for ssh", "that of ssh"),
    Variable(
        "SCRIPTRUN_FSYNC",
        "`0`: do not wait for the disk; a power cut may lose recent work",
        "wait for the disk",
    ),
    Variable(
        "SCRIPTRUN_TEST_MPI_PYTHON",
        "interpreter with mpi4py, for the engine tests in `scriptrun.testing`",
        "skip those tests",
    ),
    Variable(
        "SCRIPTRUN_SERVICE_KEYS",
        "the keys that a service accepts, separated by blanks. Set it for an image of "
        "`serve --package`; the services of a workspace have their own",
        "none",
    ),
    Variable("SCRIPTRUN_RUN_ID", "ID of the run", set_by=IN_JOBS),
    Variable("SCRIPTRUN_RUN_FOLDER", "absolute path of the run folder", set_by=IN_JOBS),
    Variable("SCRIPTRUN_ATTEMPT", "number of the attempt, from 1", set_by=IN_JOBS),
    Variable("SCRIPTRUN_NODE", "number of the node, from 0", set_by=IN_JOBS),
    Variable("SCRIPTRUN_RANK", "rank of the process, from 0", set_by=IN_JOBS),
    Variable("SCRIPTRUN_LOCAL_RANK", "rank of the process on its node, from 0", set_by=IN_JOBS),
    Variable("SCRIPTRUN_WORLD_SIZE", "number of ranks", set_by=IN_JOBS),
    Variable("SCRIPTRUN_CHECKPOINT_DIR", "folder that later attempts find again", set_by=IN_JOBS),
    Variable(
        "SCRIPTRUN_TOOL",
        "JSON list: how to start an interpreter that has scriptrun on this node",
        set_by=IN_JOBS,
    ),
    Variable("SCRIPTRUN_SHELL_OF", "in `scriptrun shell`: ID of the run", set_by=IN_JOBS),
    Variable("SCRIPTRUN_WORK", "working directory, for Enroot containers", set_by=INTERNAL),
    Variable(
        "SCRIPTRUN_FIRST_NODE", "host of node 0, for a launcher in an allocation", set_by=INTERNAL
    ),
    Variable(
        "SCRIPTRUN_EXEC_TOOL",
        "Python and package folders of scriptrun, for `exec` in another Python",
        set_by=INTERNAL,
    ),
    Variable("SCRIPTRUN_LENT_SECRETS", "secrets of a launcher in an allocation", set_by=INTERNAL),
    Variable("SCRIPTRUN_PYTHON", "interpreter that reports a conda activation", set_by=INTERNAL),
    Variable("SCRIPTRUN_PRINT", "its program", set_by=INTERNAL),
    Variable("SCRIPTRUN_FILLED_<HEX>", "secret of a package index, for uv", set_by=INTERNAL),
    Variable("SCRIPTRUN_INDEX_<HEX>", "login of a package index, for uv", set_by=INTERNAL),
)
