"""The documents of commands that act on code, settings and this machine; and of errors."""

from __future__ import annotations

from scriptrun.cli.schemas.shapes import (
    anything,
    array,
    boolean,
    document,
    integer,
    mapping,
    named,
    nullable,
    record,
    text,
)
from scriptrun.cli.schemas.workspaces import CHECK

#: what any command prints instead of its own document if it fails
ERROR = document(
    "Why the command failed; the same text is on stderr.",
    error=record(
        "the error",
        message=text("what failed, and why"),
        hint=nullable(text("what to do")),
        exit_code=integer("the exit code"),
    ),
)
_UNSUPPORTED = record(
    "",
    place=text("FILE:LINE"),
    name=text("the name that is not supported"),
    instead=text("what to use instead"),
    used=boolean("whether it is used, as opposed to only imported"),
)
_SKIPPED = record("", place=text("FILE, cell NUMBER"), reason=text("why it was not checked"))
_UNREADABLE = record("", path=text("path"), message=text("why"), hint=nullable(text("what to do")))
_FINDING = mapping(anything(), "`path`, `cell`, `line`, `kind`, `what`, `reason`, `advice`")
_PROOF = mapping(anything(), "`path`, `standing`, and what the file submits before and after")
_PLACE = record("a settings file", path=text("the path"), exists=boolean("whether the file exists"))
_ARGUMENT = record(
    "",
    name=text("the name, as in the usage"),
    flags=array(text(), "its spellings, e.g. `--limit` and `-l`; none if it has a position"),
    metavar=nullable(text("what stands for its value in the help; null for a switch")),
    help=text("what it does"),
    type=text("the type of its value", "text", "integer", "number", "switch"),
    default=anything("the value without it"),
    choices=nullable(array(anything(), "all values that it may have")),
    required=boolean("whether it must be given"),
    repeatable=boolean("whether it may be given more than once, or takes several words"),
    conflicts_with=array(text(), "the names of the arguments that it cannot be combined with"),
)
_EXIT_CODE = record("", code=integer("the exit code"), meaning=text("when the command ends so"))
_COMMAND = named(
    "command",
    "",
    name=text("the command, with its subcommand: `env build`"),
    summary=text("what it does, in one line"),
    description=text("what it does, with examples"),
    usage=text("how it is called"),
    aliases=array(text(), "other names"),
    subcommands=array(text(), "the names of its subcommands"),
    arguments=array(_ARGUMENT, "its arguments and options"),
    takes_rest=boolean("whether words after `--` are passed on"),
    exit_codes=array(_EXIT_CODE, "its exit codes"),
    json=record(
        "its output with `--json`",
        accepted=boolean("whether it accepts `--json`"),
        reason=nullable(text("why not")),
        stream=boolean("whether it prints one document per line"),
        schemas=mapping(anything(), "a JSON Schema of each of its documents"),
    ),
)
_VARIABLE = record(
    "",
    name=text("the variable; `<NAME>` in it stands for any name"),
    help=text("what it sets"),
    default=nullable(text("the value without it")),
    set_by=text("who sets it: you, scriptrun for jobs, or scriptrun for itself"),
)
_SETTING = record(
    "",
    name=text("the setting, as in `config get`"),
    type=text("`string`, `path`, `choice`, `list of strings` or `table`"),
    help=text("what it sets"),
    default=nullable(text("the value without it")),
    choices=nullable(array(text(), "all values that it may have")),
    variable=nullable(text("the environment variable that overrides it")),
)

DOCUMENTS = {
    "exec (--check)": document(
        "What the code uses of azureml that is not supported.",
        files=array(text(), "the files checked"),
        unsupported=array(_UNSUPPORTED, "unsupported names"),
        skipped=array(_SKIPPED, "the notebook cells that are not Python, and were not checked"),
        unreadable=array(_UNREADABLE, "files that cannot be read"),
    ),
    "migrate": document(
        "What was changed, or would be.",
        looked_at=integer("the number of files inspected"),
        changed=array(text(), "the files that change"),
        findings=array(_FINDING, "what was found"),
        proofs=array(_PROOF, "with `--prove`: whether the files still submit the same jobs"),
        diffs=mapping(text(), "a unified diff of each file that changes"),
    ),
    "import": document(
        "The job as Python.",
        code=text("the code"),
        lost=array(text(), "what cannot be converted"),
    ),
    "config list": document(
        "The settings.",
        settings=mapping(
            record(
                "",
                value=anything("the value"),
                level=text("where it is set: `user`, `project`, ..."),
                origin=text("the file or variable"),
            ),
            "the settings by key",
        ),
    ),
    "config get": document(
        "A setting.", key=text("the key"), value=anything("its value; null if it is not set")
    ),
    "config set": document(
        "The setting as changed.",
        key=text("the key"),
        value=anything("its value"),
        path=text("the settings file"),
    ),
    "config unset": document(
        "The setting that was removed.",
        key=text("the key"),
        removed=boolean("whether it was set"),
        path=text("the settings file"),
    ),
    "config path": document(
        "The settings files.", ("user", "project"), user=_PLACE, project=_PLACE
    ),
    "init": document(
        "The workspace.", name=text("its name"), id=text("its ID"), path=text("its directory")
    ),
    "trust": document(
        "Whether a directory is trusted now.",
        path=text("the directory"),
        trusted=boolean("whether it is trusted"),
    ),
    "trust (--list)": document(
        "The trusted directories.", directories=array(text(), "their paths")
    ),
    "doctor": document("What was checked.", checks=array(CHECK, "all checks")),
    "version": document(
        "The version.", version=text("of scriptrun"), python=text("of the Python that runs it")
    ),
    "help": document(
        "The commands.",
        version=text("the version of scriptrun"),
        commands=array(_COMMAND, "all commands and subcommands"),
        variables=array(_VARIABLE, "environment variables"),
        settings=array(_SETTING, "the settings that `config` reads and changes"),
        target_options=mapping(
            array(text()), "the options of `compute add` and `set`, by class of target"
        ),
        error=mapping(anything(), "the JSON Schema of what a command prints if it fails"),
    ),
}
