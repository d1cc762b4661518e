"""The documents of commands that act on what a workspace has besides runs."""

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
    number,
    pair,
    record,
    text,
    time,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_TAGS = mapping({"type": ["string", "null"]}, "tags by name")
_FILE = record("", path=text("path"), size=integer("bytes"), sha256=text("digest of the content"))
_MODEL: Json = {
    "id": text("NAME:VERSION"),
    "name": text("the model's name"),
    "version": integer("the version"),
    "created": time("when it was registered"),
    "description": text("the description"),
    "framework": nullable(text("the framework, e.g. `PyTorch`")),
    "framework_version": nullable(text("the framework's version")),
    "run": nullable(text("the ID of the run that it comes from")),
    "run_state": nullable(text("that run's state at registration")),
    "experiment": nullable(text("that run's experiment")),
    "tags": mapping(anything(), "tags by name"),
    "properties": mapping(anything(), "properties by name"),
    "files": array(_FILE, "the model's files"),
}
_DATASET: Json = {
    "name": text("the dataset's name"),
    "version": integer("the version"),
    "id": text("the version's ID"),
    "type": text("`file`, or a tabular format"),
    "description": nullable(text("the description")),
    "tags": nullable(_TAGS),
    "files": integer("the number of files"),
    "size": nullable(integer("their size in bytes; null if unknown")),
    "created": time("when it was registered"),
}
_TRANSFERRED: Json = {
    "files": integer("the number of files"),
    "size": integer("their size in bytes"),
}
_LISTED = array(
    record(
        "",
        path=text("path"),
        size=nullable(integer("size in bytes; null if unknown")),
        etag=nullable(text("version")),
    ),
    "the files",
)
_DATASTORE: Json = {
    "name": text("the datastore's name"),
    "class": text("its class, e.g. `AzureBlob`"),
    "default": boolean("whether it is the default datastore"),
    "settings": mapping(anything(), "its settings, without credentials"),
}
_TARGET: Json = {
    "name": text("the target's name"),
    "class": text("its class, e.g. `Local`"),
    "options": mapping(anything(), "its options"),
    "default": boolean("whether it is the default target"),
}
_BUILT = named(
    "built environment",
    "",
    key=text("digest of what was built"),
    place=text("its folder"),
    names=array(text(), "environments that it was built for"),
    python=text("the version of Python"),
    packages=integer("the number of packages"),
    size=integer("bytes"),
    built=time("when it was built"),
    used=time("when it was last used"),
    seconds=number("how long the build took"),
    kind=text("`python`, `conda`, `container`, ..."),
    runs=array(text(), "IDs of the runs that used it, newest first"),
)
_KEPT = named("kept environment", "", **_BUILT["properties"], reason=text("why it was kept"))
_PLAN: Json = {
    "locked": boolean("whether there is a lockfile"),
    "cached": boolean("whether it is built on this machine"),
    "steps": array(text(), "what a build would do"),
    "reasons": array(text(), "why it cannot be built"),
    "last_seconds": nullable(number("how long the last build took")),
    "key": nullable(text("digest of what would be built")),
    "place": nullable(text("the folder of the build")),
    "lock": nullable(mapping(anything(), "the lockfile")),
}
_ALIASES = mapping(text(), "what each alias stands for")
CHECK = record(
    "",
    name=text("what was checked"),
    verdict=text("`warning`: runs still work", "ok", "warning", "bad"),
    message=text("what was found"),
    hint=text("what to do"),
)
_LINEAGE_DATASET = record(
    "",
    ("input",),
    input=text("the input's name"),
    id=nullable(text("the version's ID")),
    name=nullable(text("the dataset's name; null if it is not registered")),
    version=nullable(anything("the version")),
)
_LINEAGE_MODEL = record(
    "the model",
    id=text("NAME:VERSION"),
    created=time("when it was registered"),
    files=array(_FILE, "its files"),
    tags=mapping(anything(), "tags by name"),
    run_state=nullable(text("the run's state at registration")),
    from_source=array(text(), "files that the run did not change"),
)
_LINEAGE_RUN = mapping(
    anything(),
    "the run: `id`, `experiment`, `state`, `reason`, `created`, `target`, `script`, `arguments`, "
    "`rerun_of`, `parent`, `snapshot`, `commit`, `dirty`, `environment`, `datasets`; or `id` and "
    "`gone`",
)

DOCUMENTS = {
    "env list": document(
        "The environments with a name, and those built on this machine.",
        named=array(
            record(
                "",
                name=text("the name"),
                version=text("the version"),
                kind=text("`registered`, `team`, `curated`, or what it is an alias of"),
            ),
            "registered and curated environments, and aliases",
        ),
        built=array(_BUILT, "built environments"),
    ),
    "env show": document(
        "An environment.",
        ("version", "definition", "spec", "plan"),
        name=nullable(text("the name")),
        version=nullable(text("the version")),
        key=nullable(text("digest of what is built")),
        place=nullable(text("the folder of the build")),
        packages=mapping(text(), "the locked version of each package"),
        as_of=nullable(text("when its packages were resolved")),
        why=mapping(array(text()), "the packages through which each package is required"),
        runs=array(text(), "IDs of the runs that used it"),
        definition=mapping(anything(), "the definition, as `Environment.to_dict`"),
        spec=mapping(anything(), "the request that is locked and built"),
        plan=record("what a build would do", **_PLAN),
    ),
    "env diff": document(
        "The packages that differ.",
        a=text("the first environment"),
        b=text("the second environment"),
        packages=mapping(pair(nullable(text())), "both versions of each package"),
    ),
    "env build": document(
        "The environment, ready to use.",
        key=text("digest of what was built"),
        python=text("the path of its Python"),
        place=nullable(text("its folder; null for an existing interpreter")),
        bin=text("the folder of its programs"),
        lock=mapping(anything(), "the lockfile"),
        cached=boolean("whether it was built before"),
        seconds=number("how long it took"),
        sites=array(text(), "its site-packages folders"),
        notes=array(text(), "notes"),
        failed_imports=array(text(), "packages that cannot be imported"),
        container=nullable(mapping(anything(), "settings of its container")),
    ),
    "env build (--dry-run)": document("What a build would do.", **_PLAN),
    "env remove": document("The environment that was removed.", removed=text("its key")),
    "env prune": document(
        "What was removed, or with `--dry-run` would be.",
        removed=array(_BUILT, "removed environments"),
        kept=array(_KEPT, "environments that could not be removed"),
        freed=integer("bytes"),
    ),
    "env alias": document("All aliases.", aliases=_ALIASES),
    "env registry": document(
        "The registry for built images.",
        registry=nullable(
            record(
                "null without one",
                ("username",),
                address=text("HOST:PORT/PATH"),
                username=text("user"),
            )
        ),
    ),
    "data list": document(
        "The latest version of each dataset.",
        datasets=array(named("dataset", "", **_DATASET), "the datasets"),
    ),
    "data show": document(
        "A version of a dataset, or the files at a source.",
        (
            *("name", "version", "id", "description", "tags", "created"),
            *("versions", "definition", "used_by"),
        ),
        **_DATASET,
        versions=array(integer(), "all versions"),
        definition=mapping(anything(), "the sources and how they are read"),
        used_by=array(text(), "IDs of the runs that used it"),
        listed=_LISTED,
    ),
    "data register": document(
        "The version that was registered.",
        **{name: _DATASET[name] for name in ("name", "version", "id", "type", "files", "size")},
    ),
    "data download": document(
        "What was downloaded.",
        **_TRANSFERRED,
        target=text("the folder"),
    ),
    "data upload": document(
        "What was uploaded.",
        **_TRANSFERRED,
        skipped=integer("the number of files skipped, because they exist"),
    ),
    "data mount": document(
        "The folder, when it is mounted; the command then waits.",
        name=text("the dataset"),
        path=text("the folder"),
        files=integer("the number of files"),
    ),
    "data cache": document(
        "The dataset cache of this machine.",
        folder=text("its folder"),
        size=integer("its size in bytes"),
        limit=integer("the size in bytes that it may have"),
    ),
    "data cache (prune)": document(
        "What was freed.", freed=integer("bytes removed"), remaining=integer("bytes that remain")
    ),
    "datastore list": document(
        "The datastores.", datastores=array(named("datastore", "", **_DATASTORE), "the datastores")
    ),
    "datastore show": document("A datastore.", **_DATASTORE),
    "datastore add": document("The datastore that was added.", **_DATASTORE),
    "datastore check": document(
        "Which kinds of access work.",
        name=text("the datastore"),
        may=mapping({"type": ["boolean", "null"]}, "by access; null if it was not tried"),
        reasons=mapping(text(), "why an access does not work"),
        notes=mapping(text(), "why an access was not tried"),
        hint=text("what to do"),
    ),
    "datastore default": document("The default datastore.", default=text("its name")),
    "datastore remove": document("The datastore that was removed.", removed=text("its name")),
    "secret list": document(
        "The names of secrets.",
        secrets=array(
            record("", **{"name": text("the name"), "from": text("where it is stored")}),
            "the secrets",
        ),
    ),
    "secret set": document("The secret that was stored.", name=text("its name")),
    "secret remove": document("The secret that was removed.", removed=text("its name")),
    "model list": document(
        "The latest version of each model, or with NAME all versions of one.",
        models=array(named("model", "A version of a model.", **_MODEL), "the models"),
    ),
    "model show": document("A model.", **_MODEL),
    "model register": document("The version that was registered.", **_MODEL),
    "model download": document("Where the files are.", id=text("NAME:VERSION"), path=text("path")),
    "model remove": document("The version that was removed.", **_MODEL),
    "lineage": document(
        "Where a model comes from.",
        model=_LINEAGE_MODEL,
        datasets=mapping(array(_LINEAGE_DATASET), "registered datasets by purpose"),
        services=array(
            record(
                "",
                name=text("the service's name"),
                run=nullable(text("the ID of its run")),
                state=nullable(text("the run's state; null if the run is missing")),
            ),
            "the services that serve the model",
        ),
        run=nullable(_LINEAGE_RUN),
    ),
    "compute list": document(
        "The compute targets.", targets=array(named("target", "", **_TARGET), "the targets")
    ),
    "compute show": document("A compute target.", **_TARGET),
    "compute add": document(
        "The target that was added.",
        **_TARGET,
        checked=boolean("whether the target accepts jobs; false if it did not respond"),
    ),
    "compute set": document(
        "The target as changed.",
        **_TARGET,
        checked=boolean("whether the target accepts jobs; false if it did not respond"),
    ),
    "compute check": document(
        "Whether a target accepts jobs.",
        name=text("the target"),
        reasons=array(text(), "why it does not"),
        checks=array(CHECK, "all checks"),
    ),
    "compute default": document("The default target.", default=text("its name")),
    "compute remove": document("The target that was removed.", removed=text("its name")),
    "compute alias": document("All aliases.", aliases=_ALIASES),
}
