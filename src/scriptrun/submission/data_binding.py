"""The data a job uses: from its arguments, variables and run configuration to JobSpec.data.

Loaded only for jobs with data. ``DataBinding.resolve`` replaces a data object in the arguments by
``$AZUREML_DATAREFERENCE_<name>``, which becomes a path on the node. ``problems`` lists all
problems; if there are none, ``pinned`` pins the exact files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from scriptrun.config import checks, data_sections
from scriptrun.data.datasets import versions as dataset_versions
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig, OutputFileDatasetConfig
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.sources import HERE
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.data.datastores.classes import get as get_datastore
from scriptrun.data.datastores.references import DataPath, DataReference
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.submission.bound_data import Bound, BoundDataset, BoundOutput, BoundReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.registry.workspace_files import Home

PREFIX = "AZUREML_DATAREFERENCE_"
#: the data name of the files that a run resumes from, as in the SDK v1
RESUME = "MODEL_LOCATION"
#: how arguments in a .runconfig name an input and an output of its sections data and outputData
_WRITTEN = ("DatasetConsumptionConfig", "DatasetOutputConfig")
_NAMED = re.compile(rf"\$\{{?{PREFIX}(\w+)")
#: names that inputs and outputs may not have, as they become variables
_TAKEN = ("PATH", "HOME", "USER", "SHELL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")


class Binder:
    """The data of one submission; ``wrong`` collects what could not be read."""

    def __init__(self, config: ScriptRunConfig, workspace: Home) -> None:
        self._workspace = workspace
        self._config = config
        self._bound: dict[str, Bound] = {}
        self._texts: dict[int, tuple[object, str]] = {}
        self.wrong: list[str] = []
        self._read_run_config()
        if _is_place(config.resume_from):
            self._add(BoundReference.of(_reference(config.resume_from, RESUME)))

    def resolve(self, value: object) -> str | None:
        """The placeholder for ``value`` in the arguments; None if it is not data."""
        if isinstance(value, str):
            return self._placeholder(value)
        if checks.is_plain(value):
            return None
        if id(value) not in self._texts:
            bound = _bind(value)
            if bound is None:
                return None
            self._add(bound)
            self._texts[id(value)] = value, f"${PREFIX}{bound.name}"
        return self._texts[id(value)][1]

    def _placeholder(self, text: str) -> str | None:
        """The placeholder for ``DatasetConsumptionConfig:NAME`` of a run configuration."""
        kind, _, name = text.partition(":")
        there = kind in _WRITTEN and name in self._bound
        return f"${PREFIX}{name}" if there else None

    def problems(self, here: bool, afar: bool = False) -> list[str]:
        """Every problem with the data.

        ``here``: the job runs on this machine; ``afar``: it cannot see this machine's directories.
        """
        found = list(self.wrong)
        if afar:
            found += [_not_there(bound, self._workspace) for bound in self._bound.values()]
            found = [reason for reason in found if reason]
        for bound in self._bound.values():
            if bound.name.upper() == bound.name and bound.name in _TAKEN:
                found.append(f"invalid data name {bound.name!r}: it must be a valid variable name")
            try:
                bound.check(self._workspace)
            except ScriptrunError as error:
                found.append(" ".join(filter(None, [f"{bound.what}: {error.message}", error.hint])))
            found += _place_problems(bound, here)
        return found + self._unknown()

    def notes(self, here: bool) -> list[str]:
        """Notes for the user before the job starts."""
        return [note for bound in self._bound.values() for note in bound.notes(here)]

    def described(self) -> dict[str, Any]:
        """``JobSpec.data`` as far as it is known without listing files."""
        return self._values(lambda bound: bound.described(self._workspace))

    def pinned(self) -> dict[str, Any]:
        """``JobSpec.data`` with the exact files. Stores the file lists in the workspace."""
        return self._values(lambda bound: bound.pinned(self._workspace))

    def _values(self, value: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"inputs": [], "outputs": []}
        for bound in self._bound.values():
            made["outputs" if bound.is_output else "inputs"].append(value(bound))
        return made

    def _add(self, bound: Bound) -> None:
        there = self._bound.get(bound.name)
        if there is not None and not there.same(bound):
            self.wrong.append(f"duplicate data name {bound.name!r}")
        self._bound.setdefault(bound.name, bound)

    def _read_run_config(self) -> None:
        run = self._config.run_config
        self._read("data_references", run.data_references, self._old)
        self._read("data", run.data, self._input)
        self._read("output_data", run.output_data, self._output)

    def _read(self, section: str, values: Any, make: Any) -> None:
        for name, value in (values or {}).items():
            self._try(name, section, value, make)

    def _try(self, name: str, section: str, value: Any, make: Any) -> None:
        try:
            self._add(make(name, value))
        except ScriptrunError as error:
            self.wrong.append(f"run_config.{section}[{name!r}]: {error.message}")
        except AttributeError:
            self.wrong.append(f"run_config.{section}[{name!r}] must be the result of to_config()")

    def _old(self, name: str, value: Any) -> Bound:
        if isinstance(value, DataReference):
            return BoundReference.of(value)
        store = get_datastore(self._workspace, value.data_store_name)
        mode = str(value.mode or "mount").lower()
        path, place = value.path_on_data_store, value.path_on_compute
        made = DataReference(store, name, path or None, mode, place, bool(value.overwrite))
        return BoundReference.of(made)

    def _input(self, name: str, value: Any) -> Bound:
        if isinstance(value, DatasetConsumptionConfig):
            return BoundDataset(value)
        if isinstance(value, AbstractDataset):
            return BoundDataset(DatasetConsumptionConfig(name, value))
        mode = str(value.mechanism or "direct").lower()
        dataset = self._located(value.data_location)
        more = [value.environment_variable_name] if value.environment_variable_name else []
        config = DatasetConsumptionConfig(name, dataset, mode, value.path_on_compute)
        return BoundDataset(config, more, bool(value.overwrite))

    def _located(self, location: data_sections.DataLocation) -> AbstractDataset:
        if location.dataset is not None:
            named = location.dataset
            if named.id:
                head = dataset_versions.by_id(self._workspace, named.id)
            else:
                number = dataset_versions.as_number(named.version)
                head = dataset_versions.get(self._workspace, str(named.name), number)
            return AbstractDataset.of_head(self._workspace, head)
        if location.data_path is not None:
            store = get_datastore(self._workspace, str(location.data_path.datastore_name))
            path = location.data_path.relative_path or ""
            return FileDatasetFactory.from_files((store, path), validate=False)
        if location.uri is not None:
            return FileDatasetFactory.from_files(str(location.uri.path), validate=False)
        raise UserErrorException("data_location has no dataset, data_path or uri.")

    def _output(self, name: str, value: Any) -> Bound:
        if isinstance(value, OutputFileDatasetConfig):
            return BoundOutput(value)
        where = value.output_location.data_path if value.output_location else None
        destination = None
        if where is not None:
            store = get_datastore(self._workspace, str(where.datastore_name))
            destination = (store, where.relative_path or "")
        made = OutputFileDatasetConfig(name, destination)
        options = value.additional_options
        if str(value.mechanism).lower() == "upload":
            upload = options.upload_options if options is not None else None
            globs = upload.source_globs.patterns if upload and upload.source_globs else None
            made = made.as_upload(bool(upload and upload.overwrite), globs)
        kept = options.registration_options if options is not None else None
        if kept is not None and kept.name:
            made = made.register_on_complete(kept.name, kept.description, kept.tags)
        if options is not None:
            made.source = options.path_on_compute
        return BoundOutput(made)

    def _unknown(self) -> list[str]:
        """Problems for references to data that the job does not have."""
        found = []
        for text in _texts(self._config):
            for name in _NAMED.findall(text):
                if name not in self._bound and PREFIX + name not in os.environ:
                    found.append(
                        f"{text!r} refers to unknown data {name!r}; add it to "
                        f"run_config.data_references, or pass the object itself"
                    )
        return found


def _bind(value: object) -> Bound | None:
    if isinstance(value, DatasetConsumptionConfig):
        return BoundDataset(value)
    if isinstance(value, OutputFileDatasetConfig):
        return BoundOutput(value)
    if isinstance(value, FileDataset):
        return BoundDataset(value.as_mount())
    if isinstance(value, AbstractDataset):
        return BoundDataset(value.as_named_input(f"input__{os.urandom(4).hex()}"))
    if _is_place(value):
        return BoundReference.of(_reference(value, None))
    return None


def _is_place(value: object) -> bool:
    return isinstance(value, DataPath | DataReference | AbstractDatastore)


def _reference(value: Any, name: str | None) -> DataReference:
    """A data reference for ``value``, named ``name`` if given; a datastore means all of it."""
    if isinstance(value, AbstractDatastore):
        value = value.as_mount()
    if isinstance(value, DataPath):
        return value.create_data_reference(name or value.name or None)
    if name is None or name == value.data_reference_name:
        return value  # type: ignore[no-any-return]
    path, mode = value.path_on_datastore, value.mode
    return DataReference(value.datastore, name, path, mode, value.path_on_compute)


def _texts(config: ScriptRunConfig) -> list[str]:
    """All strings of the job that may refer to data."""
    found: list[Any] = []
    for values in (checks.arguments(config), checks.chosen(config)[1]):
        found += values if isinstance(values, list | tuple) else [values]
    found += (config.run_config.environment_variables or {}).values()
    return [text for text in found if isinstance(text, str)]


def _not_there(bound: Bound, home: Home) -> str:
    """Why a remote machine cannot access the data; "" if it can."""
    try:
        names = [store.name for store in bound.stores(home) if store.folder is not None]
    except ScriptrunError:
        return ""  # reported by ``check``
    if not names:
        return ""
    # a plain path has no datastore of its own
    said = "is on this machine" if names[0] == HERE else f"is in {names[0]!r}, on this machine"
    return (
        f"{bound.what} {said}, which the compute target cannot access; copy the files to storage "
        "that both can access"
    )


def _place_problems(bound: Bound, here: bool) -> list[str]:
    """Why the requested path cannot be used; ``here``: it is on this machine."""
    asked = bound.path_on_compute
    if asked and not os.path.isabs(asked) and os.pardir in Path(asked).parts:
        return [f"{bound.what} requests the path {asked!r}, which is outside the working directory"]
    if not asked or "$" in asked or not os.path.isabs(asked) or not here:
        return []
    place = Path(asked)
    above = next(each for each in [place, *place.parents] if each.exists())
    if above.is_dir() and not os.access(above, os.W_OK | os.X_OK):
        return [f"{bound.what} requests the path {asked!r}, but {str(above)!r} is not writable"]
    if not above.is_dir() and above != place:
        return [f"{bound.what} requests the path {asked!r}, but {str(above)!r} is a file"]
    if bound.is_link and place.is_dir() and not place.is_symlink() and any(place.iterdir()):
        return [f"{bound.what} requests the path {asked!r}, but that folder is not empty"]
    return []
