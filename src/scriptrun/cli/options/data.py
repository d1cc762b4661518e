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


_INPUT_USAGE = "Use --input NAME=DATA[:mount|:download|:direct|:auto], e.g. --input digits=mnist."
_OUTPUT_USAGE = (
    "Use --output NAME=DATASTORE:PATH[:upload|:mount], e.g. --output model=results:models."
)


def apply(
    configuration: RunConfiguration, inputs: list[str], outputs: list[str], workspace: Workspace
) -> list[str]:
    """Add the data of --input and --output to ``configuration`` and return their names.

    Raises UserErrorException for duplicate names, and what ``data_names`` raises.
    """
    data: dict[str, Any] = dict(configuration.data or {})
    output_data: dict[str, Any] = dict(configuration.output_data or {})
    names: list[str] = []
    for text in inputs:
        name = _parse_name(text, _INPUT_USAGE, {*data, *output_data})
        data[name] = _parse_input(name, text.partition("=")[2], workspace)
        names.append(name)
    for text in outputs:
        name = _parse_name(text, _OUTPUT_USAGE, {*data, *output_data})
        output_data[name] = _parse_output(name, text.partition("=")[2], workspace)
        names.append(name)
    configuration.data, configuration.output_data = data, output_data
    return names


def _parse_name(text: str, usage: str, used_names: set[str]) -> str:
    name = text.partition("=")[0]
    if name in used_names:
        raise UserErrorException(f"Duplicate input or output name {name!r}.", usage)
    if not name:
        raise UserErrorException(f"{text!r} has no input or output name.", usage)
    return name


def _parse_input(name: str, text: str, workspace: Workspace) -> DatasetConsumptionConfig:
    if not text:
        raise UserErrorException(f"--input {name!r} has no data source.", _INPUT_USAGE)
    data, mode, path = _split_mode(text, (MOUNT, DOWNLOAD, DIRECT, AUTO))
    dataset = data_names.resolve_dataset(workspace, data)
    mode = mode or (MOUNT if dataset.kind == "file" else DIRECT)
    if mode in (MOUNT, DOWNLOAD):
        named_input = dataset.as_named_input(name)
        consumption: DatasetConsumptionConfig = getattr(named_input, f"as_{mode}")(path)
        return consumption
    return DatasetConsumptionConfig(name, dataset, mode, path)


def _parse_output(name: str, text: str, workspace: Workspace) -> OutputFileDatasetConfig:
    path, mode, source = _split_mode(text, (UPLOAD, MOUNT))
    destination = data_names.parse_datastore_path(workspace, path) if path else None
    if path and destination is None:
        raise UserErrorException(f"--output {text!r} does not name a datastore.", _OUTPUT_USAGE)
    if destination is not None and not destination[1]:
        destination = (destination[0], "dataset/{run-id}/{output-name}")
    output = OutputFileDatasetConfig(name, destination, source)
    return output.as_upload() if mode == UPLOAD else output


def _split_mode(text: str, modes: tuple[str, ...]) -> tuple[str, str | None, str | None]:
    """Split ``DATA:MODE[=PATH]`` into the data, the mode and the path on the node."""
    match = re.fullmatch(rf"(.*):({'|'.join(modes)})(?:=(.+))?", text)
    return (match[1], match[2], match[3]) if match else (text, None, None)
