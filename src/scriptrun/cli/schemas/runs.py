"""The documents of commands that act on runs."""

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
from scriptrun.query import fields
from scriptrun.spec import states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: the fields that every run has
_ALWAYS = ("id", "name", "experiment", "state", "submitted", "target", "kind")


def _field(name: str, field: fields.KnownField) -> Json:
    if field.kind == fields.FLAG:
        return boolean(field.line)
    kinds = {fields.TIME: time, fields.DURATION: number, fields.NUMBER: integer}
    line = f"{field.line}, in seconds" if field.kind == fields.DURATION else field.line
    if field.kind == fields.STATE:
        line = f"the state: {', '.join(states.ORDER)}"
    shape = kinds.get(field.kind, text)(line)
    return shape if name in _ALWAYS else nullable(shape)


SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_RUN: Json = {
    **{name: _field(name, field) for name, field in fields.FIELDS.items()},
    "folder": text("the run's folder"),
    "tags": mapping({"type": ["string", "null"]}, "tags by name; null without a value"),
    "params": mapping(SCALAR, "parameters by name"),
    "metrics": mapping(SCALAR, "the last value of each metric by name"),
}
RUN = named("run", "A run: the fields that queries name.", **_RUN)
_STEPS = ("last_step", "min", "min_step", "min_position", "max", "max_step", "max_position")
_SUMMARY: Json = {
    "kind": text("kind of values: `numbers`, `table`, `text`, ..."),
    "count": integer("how many values were logged"),
    "last": anything("the last value"),
    "last_step": number("its step"),
    "min": number("the lowest value"),
    "min_step": number("its step"),
    "min_position": integer("without steps: its place, from 1"),
    "max": number("the highest value"),
    "max_step": number("its step"),
    "max_position": integer("without steps: its place, from 1"),
    "columns": array(text(), "the columns of a table"),
}
SUMMARY = named("summary of a metric", "", (*_STEPS, "columns"), **_SUMMARY)
_TIMES = record(
    "",
    attempt=integer("the attempt's number"),
    state=nullable(text("how it ended; null if it is not the last and was retried")),
    seconds=mapping(number(), "the seconds of each phase, by name, in order"),
)
_SERVICE = record(
    "what a service serves; null for other runs",
    name=text("the service's name"),
    entry_script=nullable(text("the script with init() and run()")),
    models=array(text(), "the models as NAME:VERSION"),
    auth=text("who may call it", "none", "key"),
    state=nullable(text("what its server reports", "starting", "healthy", "unhealthy", "stopping")),
    url=nullable(text("the server's address")),
    node=nullable(text("the name of the machine that it runs on")),
    workers=record("", running=integer("how many answer"), requested=integer("")),
    restarts=record("", used=integer("workers that were replaced"), allowed=integer("")),
    reason=nullable(text("why it is not healthy")),
)
_IN_FULL: Json = {
    **_RUN,
    "rerun_of": nullable(text("the ID of the run that this one repeats")),
    "attempts": integer("how often it was started"),
    "times": array(_TIMES, "where the time of each attempt went"),
    "target_options": mapping(anything(), "options of the compute target that the run set itself"),
    "job_ids": array(text(), "IDs of the job in the cluster's scheduler"),
    "nodes": array(text(), "the nodes it ran on"),
    "snapshot": nullable(text("digest of the source snapshot")),
    "environment": nullable(mapping(anything(), "the environment, once it is ready")),
    "warnings": array(text(), "warnings"),
    "notes": array(text(), "messages of scriptrun about the run"),
    "last_lines": array(text(), "the end of the log of a failed run"),
    "service": nullable(_SERVICE),
    "metric_values": mapping(anything(), "all values of each metric, as `Run.get_metrics`"),
    "metric_summaries": mapping(SUMMARY, "a summary of each metric by name"),
    "files": array(text(), "the run's files, for `scriptrun download`"),
    "details": mapping(anything(), "`Run.get_details`, with the keys of SDK v1"),
}
IN_FULL = named("run in full", "A run with everything that is known about it.", **_IN_FULL)
_POINT = record(
    "", step=nullable(number("the step")), time=time("when it was logged"), value=anything("value")
)
_SWEEP: Json = {
    **_IN_FULL,
    "sweep": record(
        "what is searched, and for what",
        metric=text("the metric to optimize"),
        goal=text("", "maximize", "minimize"),
        seed=integer("seed of the sampling"),
        sampling=text("how values are chosen: `grid`, `random`, ..."),
        space=mapping(anything(), "the search space: an expression for each parameter"),
    ),
    "runs": array(
        record(
            "",
            id=text("the run's ID"),
            short_name=text("its short name"),
            number=integer("its place in the order of the sampling"),
            state=text("the state"),
            reason=nullable(text("why the run failed, was canceled or waits")),
            started=nullable(time("when the script started")),
            ended=nullable(time("when the run ended")),
            params=mapping(anything(), "the values tried, by parameter"),
            best=nullable(number("the best value of the metric")),
        ),
        "the sweep's runs, best first",
    ),
}
SWEEP_IN_FULL = named("sweep in full", "A sweep with its runs.", **_SWEEP)
_PLAN: Json = {
    "source": text("the source directory"),
    "files": mapping(integer(), "size in bytes of each file of the snapshot, by path"),
    "ignored": mapping(text(), "the rule that ignores a file, by path"),
    "size": integer("size of the snapshot in bytes"),
    "environment": mapping(anything(), "the environment, and the steps to build it"),
    "execution": text("what the engine will execute"),
    "run": mapping(anything(), "the run: experiment, target, script, arguments, variables, ..."),
    "data": mapping(text(), "how each input and output is delivered, by name"),
    "warnings": array(text(), "warnings"),
    "notes": array(text(), "messages of scriptrun about the run"),
}
PLAN = named("plan", "What would be uploaded, built and executed.", **_PLAN)
_PAIRS = mapping(pair(anything()), "what differs, by name: the first run's value, the second's")
_OUTCOME: Json = {
    "id": text("the run's ID"),
    "name": text("its display name, else its short name"),
    "state": text("its state"),
    "result": text("what was done, in words"),
}
_MARKED = document(
    "What became of each run.",
    runs=array(
        record("", **_OUTCOME, child_runs=integer("how many child runs go with it")), "the runs"
    ),
)
_FREED: Json = {"count": integer("how many"), "size": integer("their size in bytes")}
_PRUNED: Json = {
    "id": text("the run's ID"),
    "name": text("its display name, else its short name"),
    "reason": text("why it is deleted, or kept"),
}

DOCUMENTS = {
    "run": document("The run when it has ended, or with `--detach` when submitted.", **_IN_FULL),
    "run (--dry-run)": document("What a run would upload, build and execute.", **_PLAN),
    "sweep": document("The sweep when it has ended, or with `--detach` when submitted.", **_SWEEP),
    "sweep (show)": document("The sweep and its runs.", **_SWEEP),
    "sweep (--dry-run)": document(
        "What a sweep would upload, build and execute.",
        **_PLAN,
        sweep=array(text(), "the search in words"),
    ),
    "list": document("The runs that match, in the order shown.", runs=array(RUN, "the runs")),
    "list (--group-by)": document(
        "The runs that match, by the values of a field.",
        field=text("the field"),
        groups=array(
            record(
                "",
                value=SCALAR,
                runs=integer("how many runs have the value"),
                states=mapping(integer(), "how many runs are in each state"),
                metrics=mapping(
                    record("", best=nullable(number()), mean=nullable(number())),
                    "the best and the mean value of each metric",
                ),
            ),
            "the groups, the largest first; `value` is null for runs without the field",
        ),
    ),
    "best": document(
        "The best runs by a metric.",
        metric=text("the metric"),
        goal=text("what counts as best", "maximize", "minimize"),
        runs=array(
            named("best run", "A run, with its best value.", **_RUN, best=number("the best value")),
            "the runs, best first",
        ),
    ),
    "show": document("A run in full.", **_IN_FULL),
    "metrics": document(
        "A summary of each metric.",
        metrics=array(
            named(
                "metric",
                "",
                (*_STEPS, "columns"),
                run=text("the run's ID"),
                name=text("the metric"),
                **_SUMMARY,
            ),
            "one for each run and metric",
        ),
    ),
    "metrics (NAME)": document(
        "All values of the metrics named.",
        metrics=array(
            record(
                "",
                run=text("the run's ID"),
                name=text("the metric"),
                values=array(_POINT, "the values, in the order logged"),
            ),
            "one for each run and metric",
        ),
    ),
    "logs": document(
        "A line of the log.",
        log=text("the log's name, as in the run's files"),
        rank=nullable(integer("the rank that wrote it; null if the run is not distributed")),
        text=text("the line, without its end"),
    ).replace(is_stream=True),
    "logs (last line)": document(
        "The run, after all lines of the log.",
        run=record(
            "the run",
            id=text("the run's ID"),
            state=text("the state"),
            reason=nullable(text("why it failed, was canceled or waits")),
            exit_code=nullable(integer("the script's exit code")),
        ),
    ).replace(is_stream=True),
    "cancel": document("What became of each run.", runs=array(record("", **_OUTCOME), "the runs")),
    "download": document("The files downloaded.", files=array(text(), "their paths")),
    "rerun": document("The new run, as `run` prints it.", **_IN_FULL),
    "rerun (--verify)": document(
        "Whether the new run gave the same results.",
        run=text("the new run's ID"),
        rerun_of=text("the original's ID"),
        answer=text("`cannot`: it could not be verified", "same", "drifted", "cannot"),
        what=array(text(), "what differs, in words"),
        metrics=_PAIRS,
        outputs=_PAIRS,
    ),
    "diff": document(
        "What differs between two runs.",
        a=text("the first run's ID"),
        b=text("the second run's ID"),
        rerun_of=record(
            "the runs that they repeat",
            a=nullable(text("the ID of the first one's original")),
            b=nullable(text("the ID of the second one's original")),
        ),
        code=array(
            record(
                "",
                path=text("the file"),
                how=text("", "added", "removed", "changed"),
                diff=text("a unified diff, if the file is text"),
            ),
            "the files of the snapshots that differ",
        ),
        job=_PAIRS,
        arguments=nullable(pair(array(text()), "the arguments of both; null if they are equal")),
        data=_PAIRS,
        packages=_PAIRS,
        variables=_PAIRS,
        metrics=_PAIRS,
        outputs=_PAIRS,
    ),
    "rerun (--dry-run)": document(
        "What the new run would upload, build and execute.",
        **_PLAN,
        rerun_of=text("the original's ID"),
        changes=array(text(), "what is changed, in words"),
    ),
    "wait": document(
        "The runs, once they have ended, or the time of `--timeout` has passed.",
        runs=array(
            record(
                "",
                id=text("the run's ID"),
                name=text("its display name, else its short name"),
                state=text("its state"),
                reason=text("why it failed, was canceled or waits"),
                exit_code=nullable(integer("the script's exit code")),
                started=nullable(time("when the script started")),
                ended=nullable(time("when the run ended")),
            ),
            "the runs",
        ),
    ),
    "open": document(
        "What was opened.",
        run=text("the run's ID"),
        path=text("the file or folder"),
        opened=boolean("whether a program was started to show it"),
    ),
    "tag": document(
        "The runs with all their tags.",
        runs=array(
            record(
                "",
                id=text("the run's ID"),
                tags=mapping({"type": ["string", "null"]}, "tags by name; null without a value"),
            ),
            "the runs",
        ),
    ),
    "rename": document("The new name.", id=text("the run's ID"), name=text("its display name")),
    "note": document("The note.", id=text("the run's ID"), note=nullable(text("its note"))),
    "archive": _MARKED,
    "pin": _MARKED,
    "remove": _MARKED,
    "prune": document(
        "What was freed, or with `--dry-run` would be.",
        dry_run=boolean("whether nothing was deleted"),
        runs=array(
            record(
                "",
                **_PRUNED,
                size=integer("the size of its folder in bytes"),
                folder=text("its folder"),
                host=text('the cluster behind ssh that has its files, or ""'),
            ),
            "the deleted runs",
        ),
        kept=array(record("", **_PRUNED), "the selected runs that are kept"),
        other_users=mapping(integer(), "how many selected runs of each other user are kept"),
        snapshots=record("unused snapshots", **_FREED),
        manifests=record("unused lists of dataset files", **_FREED),
        leftovers=record("what interrupted processes left", **_FREED),
        recent_snapshots=integer("unused snapshots that are kept until a day after their last use"),
        freed=integer("the freed bytes"),
        problems=array(text(), "what could not be deleted, and why"),
    ),
    "export": document(
        "The exported files.",
        files=mapping(text(), "the content of each file by name"),
        lost=array(text(), "what the format cannot express"),
    ),
}
