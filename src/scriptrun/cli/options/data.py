"""``scriptrun run --input NAME=DATA --output NAME=DATASTORE:PATH``; imported only if used."""

from __future__ import annotations

import re

from scriptrun.cli.options import data_names
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.core.workspace import Workspace
from scriptrun.data.datasets.consumption import (
    AUTO,
    DIRECT,
    DOWNLOAD,
    MOUNT,
    UPLOAD,
    DatasetConsumptionConfig,
    OutputFileDatasetConfig,
)
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INPUT = "Use --input NAME=DATA[:mount|:download|:direct|:auto], e.g. --input digits=mnist."
_OUTPUT = "Use --output NAME=DATASTORE:PATH[:upload|:mount], e.g. --output model=results:models."


def put(
    made: RunConfiguration, inputs: list[str], outputs: list[str], workspace: Workspace
) -> list[str]:
    """Add the data of --input and --output to ``made`` and return their names.

    Raises UserErrorException for duplicate names, and what ``data_names`` raises.
    """
    data: dict[str, Any] = dict(made.data or {})
    written: dict[str, Any] = dict(made.output_data or {})
    names: list[str] = []
    for text in inputs:
        name = _name(text, _INPUT, {*data, *written})
        data[name] = _input(name, text.partition("=")[2], workspace)
        names.append(name)
    for text in outputs:
        name = _name(text, _OUTPUT, {*data, *written})
        written[name] = _output(name, text.partition("=")[2], workspace)
        names.append(name)
    made.data, made.output_data = data, written
    return names


def filled(text: str, names: list[str]) -> str:
    """Replace each ``{NAME}`` in ``text`` by a reference that expands to the path on the node."""
    known = "|".join(map(re.escape, names))
    return re.sub(rf"\{{({known})\}}", r"${AZUREML_DATAREFERENCE_\1}", text)


def _name(text: str, how: str, taken: set[str]) -> str:
    name = text.partition("=")[0]
    if name in taken:
        raise UserErrorException(f"Duplicate input or output name {name!r}.", how)
    if not name:
        raise UserErrorException(f"{text!r} has no input or output name.", how)
    return name


def _input(name: str, text: str, workspace: Workspace) -> DatasetConsumptionConfig:
    if not text:
        raise UserErrorException(f"--input {name!r} has no data source.", _INPUT)
    data, mode, path = _mode(text, (MOUNT, DOWNLOAD, DIRECT, AUTO))
    dataset = data_names.any_dataset(workspace, data)
    mode = mode or (MOUNT if dataset.kind == "file" else DIRECT)
    if mode in (MOUNT, DOWNLOAD):
        wanted = dataset.as_named_input(name)
        made: DatasetConsumptionConfig = getattr(wanted, f"as_{mode}")(path)
        return made
    return DatasetConsumptionConfig(name, dataset, mode, path)


def _output(name: str, text: str, workspace: Workspace) -> OutputFileDatasetConfig:
    place, mode, source = _mode(text, (UPLOAD, MOUNT))
    destination = data_names.on_datastore(workspace, place) if place else None
    if place and destination is None:
        raise UserErrorException(f"--output {text!r} does not name a datastore.", _OUTPUT)
    if destination is not None and not destination[1]:
        destination = (destination[0], "dataset/{run-id}/{output-name}")
    made = OutputFileDatasetConfig(name, destination, source)
    return made.as_upload() if mode == UPLOAD else made


def _mode(text: str, known: tuple[str, ...]) -> tuple[str, str | None, str | None]:
    """Split ``DATA:MODE[=PATH]`` into the data, the mode and the path on the node."""
    found = re.fullmatch(rf"(.*):({'|'.join(known)})(?:=(.+))?", text)
    return (found[1], found[2], found[3]) if found else (text, None, None)
