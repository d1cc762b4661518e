"""The data sections of a RunConfiguration: references, inputs and outputs, as files hold them."""

from __future__ import annotations

from scriptrun.config.section_base import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DataReferenceConfiguration(Section):
    """One entry of ``run_config.data_references``: a path on a datastore."""

    data_store_name: str | None = None
    path_on_data_store: str | None = None
    mode: str = "mount"
    overwrite: bool = False
    path_on_compute: str | None = None

    def __init__(
        self,
        datastore_name: str | None = None,
        mode: str = "mount",
        path_on_datastore: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__(
            data_store_name=datastore_name,
            mode=mode,
            path_on_data_store=path_on_datastore,
            path_on_compute=path_on_compute,
            overwrite=overwrite,
        )


class Dataset(Section):
    """A registered dataset, by id or by name and version."""

    id: str | None = None
    name: str | None = None
    version: str | None = None

    def __init__(
        self,
        dataset_id: str | None = None,
        dataset_name: str | None = None,
        dataset_version: str | None = None,
    ) -> None:
        super().__init__(id=dataset_id, name=dataset_name, version=dataset_version)


class DataPath(Section):
    """A path on a datastore."""

    datastore_name: str | None = None
    relative_path: str | None = None

    def __init__(self, datastore_name: str | None = None, relative_path: str | None = None) -> None:
        super().__init__(datastore_name=datastore_name, relative_path=relative_path)


class Uri(Section):
    """A file or folder by its URL."""

    path: str | None = None
    is_file: bool = False

    def __init__(self, path: str | None = None, is_file: bool = False) -> None:
        super().__init__(path=path, is_file=is_file)


class DataLocation(Section):
    """The location of data: a dataset, a path on a datastore, or a URL."""

    dataset: Dataset | None = None
    data_path: DataPath | None = None
    uri: Uri | None = None

    def __init__(
        self,
        dataset: Dataset | None = None,
        data_path: DataPath | None = None,
        uri: Uri | None = None,
    ) -> None:
        super().__init__(dataset=dataset, data_path=data_path, uri=uri)


class Data(Section):
    """One named input: its location and how the job gets it (direct, mount or download)."""

    data_location: DataLocation | None = None
    create_output_directories: bool | None = None
    mechanism: str = "direct"
    environment_variable_name: str | None = None
    path_on_compute: str | None = None
    overwrite: bool = False
    options: dict[str, Any] | None = None

    def __init__(
        self,
        data_location: DataLocation | None = None,
        create_output_directories: bool | None = None,
        mechanism: str = "direct",
        environment_variable_name: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool = False,
        options: dict[str, object] | None = None,
    ) -> None:
        super().__init__(
            data_location=data_location,
            create_output_directories=create_output_directories,
            mechanism=mechanism,
            environment_variable_name=environment_variable_name,
            path_on_compute=path_on_compute,
            overwrite=overwrite,
            options=options,
        )

    @staticmethod
    def create(data: Any) -> Data:
        """The input that a DatasetConsumptionConfig, or a dataset itself, describes."""
        if isinstance(data, Data):
            return data
        dataset = getattr(data, "dataset", data)
        version = dataset.version if dataset.version is None else str(dataset.version)
        mode = getattr(data, "mode", None)
        return Data(
            DataLocation(Dataset(dataset.id, dataset.name, version)),
            mechanism=mode or "direct",
            environment_variable_name=data.name if mode else None,
            path_on_compute=getattr(data, "path_on_compute", None),
        )


class GlobsOptions(Section):
    """Patterns that choose files."""

    patterns: list[str] | None = None

    def __init__(self, patterns: list[str] | None = None) -> None:
        super().__init__(patterns=patterns)


class UploadOptions(Section):
    """How an output is uploaded."""

    overwrite: bool = False
    source_globs: GlobsOptions | None = None

    def __init__(self, overwrite: bool = False, source_globs: GlobsOptions | None = None) -> None:
        super().__init__(overwrite=overwrite, source_globs=source_globs)


class MountOptions(Section):
    """How an output is mounted."""

    disable_metadata_cache: bool = False

    def __init__(self, disable_metadata_cache: bool = False) -> None:
        super().__init__(disable_metadata_cache=disable_metadata_cache)


class DatasetRegistrationOptions(Section):
    """Transformations applied to an output before it is registered."""

    additional_transformation: str | None = None

    def __init__(self, additional_transformations: str | None = None) -> None:
        super().__init__(additional_transformation=additional_transformations)


class RegistrationOptions(Section):
    """The dataset that an output becomes."""

    texts = frozenset({"tags"})

    name: str | None = None
    description: str | None = None
    tags: dict[str, Any] | None = None
    dataset_registration_options: DatasetRegistrationOptions | None = None

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        tags: dict[str, object] | None = None,
        dataset_registration_options: DatasetRegistrationOptions | None = None,
    ) -> None:
        super().__init__(
            name=name,
            description=description,
            tags=tags,
            dataset_registration_options=dataset_registration_options,
        )


class OutputOptions(Section):
    """Further options of an output: its path, registration, upload and mount."""

    path_on_compute: str | None = None
    registration_options: RegistrationOptions | None = None
    upload_options: UploadOptions | None = None
    mount_options: MountOptions | None = None

    def __init__(
        self,
        path_on_compute: str | None = None,
        registration_options: RegistrationOptions | None = None,
        upload_options: UploadOptions | None = None,
        mount_options: MountOptions | None = None,
    ) -> None:
        super().__init__(
            path_on_compute=path_on_compute,
            registration_options=registration_options,
            upload_options=upload_options,
            mount_options=mount_options,
        )


class OutputData(Section):
    """One named output: where it goes and how (mount or upload)."""

    output_location: DataLocation | None = None
    mechanism: str = "mount"
    additional_options: OutputOptions | None = None

    def __init__(
        self,
        output_location: DataLocation | None = None,
        mechanism: str = "mount",
        additional_options: OutputOptions | None = None,
    ) -> None:
        super().__init__(
            output_location=output_location,
            mechanism=mechanism,
            additional_options=additional_options,
        )
