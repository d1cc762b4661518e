"""Every command has --json with a schema, and is described for programs."""

from __future__ import annotations

import json

import jsonschema
import pytest

import scriptrun
from scriptrun.cli import commands, help, main, schemas
from scriptrun.cli.help import exit_codes
from scriptrun.cli.schemas import runs, services, shapes, tools, workspaces
from scriptrun.cli.terminal import log_lines
from scriptrun.query import fields

PARSERS = dict(pair for name in commands.COMMANDS for pair in help.parsers(name))


def accepts_json(parser) -> bool:
    return any("--json" in action.option_strings for action in parser._actions)


@pytest.mark.parametrize("command", PARSERS)
def test_every_command_has_json_and_a_schema(command):
    parser = PARSERS[command]
    assert accepts_json(parser) != (command in schemas.WITHOUT_JSON), (
        "add common_arguments.json_argument(parser), or the reason to schemas.WITHOUT_JSON"
    )
    documents = schemas.documents_of(command) or schemas.documents_of(f"{command} list")
    assert bool(documents) == accepts_json(parser), (
        "declare what the command prints in the DOCUMENTS of a module of cli/schemas"
    )


def test_every_schema_belongs_to_a_command():
    assert {key.partition(" (")[0] for key in schemas.DOCUMENTS} <= {*PARSERS}
    parts = (runs.DOCUMENTS, workspaces.DOCUMENTS, services.DOCUMENTS, tools.DOCUMENTS)
    assert len(schemas.DOCUMENTS) == sum(map(len, parts))  # no key twice
    assert {*exit_codes.SPECIAL} <= {*PARSERS}


@pytest.mark.parametrize("key", schemas.DOCUMENTS)
def test_schemas_are_valid_and_described(key):
    document = schemas.DOCUMENTS[key]
    schema = document.schema(key)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["const"] == document.number
    assert {*document.optional} <= {*document.properties}
    for name in names_in(schema):
        assert name == name.lower() and "-" not in name, f"{name} is not in snake_case"
    unclear = [
        name
        for name, shape in schema["properties"].items()
        if not shape.get("description") and "enum" not in shape
    ]
    assert not unclear, "these need a description"


def names_in(schema):
    for name, shape in schema.get("properties", {}).items():
        yield name
        yield from names_in(shape)
    if isinstance(schema.get("items"), dict):
        yield from names_in(schema["items"])


def test_a_run_has_the_fields_of_queries():
    properties = schemas.DOCUMENTS["list"].properties["runs"]["items"]["properties"]
    assert [*properties][: len(fields.FIELDS)] == [*fields.FIELDS]
    assert {*properties} <= {*schemas.DOCUMENTS["show"].properties}


def test_shapes():
    value = shapes.nullable(shapes.text("one of", "a", "b"))
    validator = jsonschema.Draft202012Validator(value)
    assert [validator.is_valid(each) for each in ("a", None, "c")] == [True, True, False]
    number = jsonschema.Draft202012Validator(shapes.nullable(shapes.number()))
    assert [number.is_valid(each) for each in (1, "NaN", None, "1")] == [True, True, True, False]
    some = shapes.document("s", ("b",), a=shapes.integer(), b=shapes.boolean()).replace(number=3)
    validator = jsonschema.Draft202012Validator(some.schema("t"))
    assert validator.is_valid({"schema": 3, "a": 1, "added": "later"})
    assert not validator.is_valid({"schema": 2, "a": 1})
    assert not validator.is_valid({"schema": 3, "b": True})


def test_a_line_of_a_log_is_printed_when_it_is_whole(capsys):
    lines = log_lines.Lines()
    lines.write("user_logs/std_log_process_3.txt", b"one\ntw")
    lines.write("user_logs/std_log.txt", b"\xff\r\n")
    (one, other) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["rank"], one["text"]) == (3, "one")
    assert (other["rank"], other["text"]) == (None, "\ufffd\r")
    lines.write("user_logs/std_log_process_3.txt", b"o\n")
    lines.write("user_logs/std_log.txt", b"no end")
    lines.end()
    texts = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert texts == ["two", "no end"]


@pytest.fixture
def types(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*words, code=0):
        assert main(list(words)) == code
        return capsys.readouterr()

    return call


def test_the_commands_are_described(types):
    found = json.loads(types("help", "--json").out)
    assert found["version"] == scriptrun.__version__
    by_name = {each["name"]: each for each in found["commands"]}
    assert {*by_name} == {*PARSERS}
    jsonschema.validate(found, schemas.schema_of("help"))
    (limit,) = [each for each in by_name["list"]["arguments"] if each["name"] == "--limit"]
    assert (limit["flags"], limit["metavar"], limit["type"], limit["default"]) == (
        ["-l", "--limit"],
        "N",
        "integer",
        50,
    )
    (verify,) = [each for each in by_name["rerun"]["arguments"] if each["name"] == "--verify"]
    assert (verify["metavar"], verify["type"], verify["default"]) == (None, "switch", False)
    conflicts = {each["name"]: each["conflicts_with"] for each in by_name["list"]["arguments"]}
    assert conflicts["--json"] == ["--watch", "--csv"] and conflicts["--sort"] == []
    settings = {each["name"]: each for each in found["settings"]}
    assert settings["pins"]["choices"] and settings["compute"]["variable"] == "SCRIPTRUN_COMPUTE"
    assert found["target_options"]["Local"] == ["--max-runs"]
    assert by_name["model"]["aliases"] == ["models"]
    assert by_name["env"]["subcommands"][:2] == ["list", "show"]
    assert by_name["logs"]["json"]["stream"] is True
    assert by_name["shell"]["json"] == {
        "accepted": False,
        "reason": "the shell uses the terminal",
        "stream": False,
        "schemas": {},
    }
    codes = {each["code"]: each["meaning"] for each in by_name["datastore check"]["exit_codes"]}
    assert {0, 2, 3, 70, 130} <= {*codes}
    assert "SCRIPTRUN_WORKSPACE" in {each["name"] for each in found["variables"]}


def test_one_command_is_described(types):
    for words, names in ((["data", "show"], ["data show"]), (["runs", "list"], ["list"])):
        found = json.loads(types("help", *words, "--json").out)["commands"]
        assert [each["name"] for each in found] == names
    names = [each["name"] for each in json.loads(types("help", "env", "--json").out)["commands"]]
    assert names[0] == "env" and "env build" in names
    refused = json.loads(types("help", "lst", "--json", code=2).out)["error"]
    assert "`scriptrun list`" in refused["hint"]


def test_a_schema_covers_what_is_printed(types):
    for words in (["list"], ["data", "show"], ["version"], ["env"], []):
        schema = json.loads(types("help", *words, "--schema").out)
        jsonschema.Draft202012Validator.check_schema(schema)
    schema = json.loads(types("help", "version", "--schema").out)
    jsonschema.validate(json.loads(types("version", "--json").out), schema)
    jsonschema.validate(json.loads(types("version", "--json", "x", code=2).out), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1, "version": 1}, schema)
    assert "has no --json" in types("help", "shell", "--schema", code=2).err
    assert "'env build'" in types("help", "env", "buld", "--schema", code=2).err


def test_help_for_people(types, capsys):
    assert types("help").out.startswith("Describe a training job once")
    with pytest.raises(SystemExit):
        main(["help", "env", "build"])
    assert capsys.readouterr().out.startswith("usage: scriptrun env build")
