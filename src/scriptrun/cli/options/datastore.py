"""``scriptrun datastore add``: turns its options into a call of ``Datastore.register_...``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from scriptrun.core.datastore import Datastore
from scriptrun.core.workspace import Workspace
from scriptrun.data.datastores.classes import AbstractDatastore
from scriptrun.spec import url_logins
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class DatastoreType(Value):
    """A type of datastore: the Datastore method that registers it, and the options it accepts.

    Required and optional options come as pairs of the option and the method's parameter
    (``account`` is ``account_name``). ``argument`` is the parameter that receives the value of the
    type's own option; it is "" if that option is a flag.
    """

    method: str
    help: str
    argument: str = ""
    metavar: str = ""
    required: Sequence[tuple[str, str]] = ()
    optional: Sequence[tuple[str, str]] = ()


_AZURE = (("account", "account_name"), ("container", "container_name"))
_CLOUD = (("endpoint", "endpoint"), ("secret", "secret"), ("anonymous", "anonymous"))
_BUCKET = (("bucket", "bucket"),)
_CLIENT = (("tenant", "tenant_id"), ("client", "client_id"), ("authority", "authority_url"))
_SECRET = (("secret", "secret"),)
KINDS = {
    "local": DatastoreType("register_local", "local directory", "path", "PATH"),
    "azure_blob": DatastoreType(
        "register_azure_blob_container", "Azure Blob Storage", "", "", _AZURE, _CLOUD
    ),
    "azure_data_lake_gen2": DatastoreType(
        "register_azure_data_lake_gen2",
        "Azure Data Lake Gen2",
        "",
        "",
        (("account", "account_name"), ("container", "filesystem")),
        (*_CLIENT, ("endpoint", "endpoint"), *_SECRET),
    ),
    "s3": DatastoreType(
        "register_s3",
        "Amazon S3, or a compatible service at --endpoint",
        "",
        "",
        _BUCKET,
        (*_CLOUD, ("region", "region"), ("root", "root")),
    ),
    "gcs": DatastoreType(
        "register_gcs", "Google Cloud Storage", "", "", _BUCKET, (*_CLOUD, ("root", "root"))
    ),
    "http": DatastoreType("register_http", "files below a URL", "url", "URL", (), _SECRET),
    "sftp": DatastoreType(
        "register_fsspec", "SFTP server: sftp://USER@HOST/FOLDER", "url", "URL", (), _SECRET
    ),
    "fsspec": DatastoreType(
        "register_fsspec",
        "any fsspec driver: PROTOCOL://HOST/FOLDER",
        "url",
        "URL",
        (),
        (*_SECRET, ("credential", "credential"), ("option", "options")),
    ),
}
_HELP = {
    "account": ("A", "storage account (Azure)"),
    "container": ("C", "container or file system (Azure)"),
    "bucket": ("B", "bucket (S3, GCS)"),
    "endpoint": ("URL", "service endpoint (default: the provider's own)"),
    "region": ("R", "bucket region (S3)"),
    "root": ("PREFIX", "prefix for all paths (S3, GCS)"),
    "secret": ("NAME", "name of the secret with the credential"),
    "tenant": ("ID", "tenant of the service principal (Data Lake)"),
    "client": ("ID", "service principal; --secret names its secret (Data Lake)"),
    "authority": ("URL", "login endpoint of the service principal (Data Lake)"),
    "credential": ("OPTION", "driver option that receives the secret (default: password)"),
}


def arguments(verb: argparse.ArgumentParser) -> None:
    """Add the options of ``datastore add``."""
    group = verb.add_argument_group("datastore type (choose one)")
    for name, kind in KINDS.items():
        dest = f"kind_{name}"
        if kind.argument:
            group.add_argument(_flag(name), dest=dest, help=kind.help, metavar=kind.metavar)
        else:
            group.add_argument(_flag(name), dest=dest, help=kind.help, action="store_true")
    for name, (metavar, line) in _HELP.items():
        verb.add_argument(_flag(name), metavar=metavar, help=line)
    verb.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        help="set an fsspec driver option; stored in plain text",
    )
    verb.add_argument("--anonymous", action="store_true", help="read without credentials")
    verb.add_argument("--overwrite", action="store_true", help="replace an existing datastore")


def build_registration(args: argparse.Namespace) -> Callable[[Workspace], AbstractDatastore]:
    """Return a function that registers the datastore in a workspace.

    Raises UserErrorException listing all missing and conflicting options.
    """
    selected = [name for name in KINDS if getattr(args, f"kind_{name}")]
    if len(selected) != 1:
        problem = f"got {' and '.join(map(_flag, selected))}" if selected else "got none"
        raise UserErrorException(
            f"Datastore {args.name!r} requires exactly one type option, but {problem}.",
            f"Use one of {', '.join(map(_flag, KINDS))}.",
        )
    name = selected[0]
    kind = KINDS[name]
    refuse(_problems(args, name, kind), "Cannot add this datastore")
    values = {
        parameter: getattr(args, option) for option, parameter in (*kind.required, *kind.optional)
    }
    values = {key: value for key, value in values.items() if value}
    if kind.argument:
        values[kind.argument] = getattr(args, f"kind_{name}")
    if kind.method == "register_fsspec":
        values = _fsspec_arguments(name, values)
    if name == "azure_blob":
        values["skip_validation"] = True  # `datastore check` reports more
    register = getattr(Datastore, kind.method)
    return lambda workspace: register(workspace, args.name, overwrite=args.overwrite, **values)


def _problems(args: argparse.Namespace, name: str, kind: DatastoreType) -> list[str]:
    valid = {option for option, _ in (*kind.required, *kind.optional)}
    options = [*_HELP, "option", "anonymous"]
    missing = [
        f"{_flag(name)} requires {_flag(o)}" for o, _ in kind.required if not getattr(args, o)
    ]
    extra = [
        f"{_flag(other)} is not valid with {_flag(name)}"
        for other in options
        if getattr(args, other) and other not in valid
    ]
    return [*missing, *extra]


def _fsspec_arguments(name: str, values: Json) -> Json:
    """Split ``PROTOCOL://USER@HOST:PORT/FOLDER`` into a driver's protocol, path and options."""
    from urllib.parse import unquote

    parts = url_logins.split_url(values.pop("url"))
    if name == "sftp" and parts.scheme not in ("sftp", "ssh"):
        raise UserErrorException("--sftp requires a URL of the form sftp://USER@HOST/FOLDER.")
    if not parts.scheme:
        raise UserErrorException("--fsspec requires a URL of the form PROTOCOL://HOST/FOLDER.")
    if parts.password or parts.query:
        raise UserErrorException(
            "The URL contains a password or a query, and scriptrun would store it in plain text.",
            "Remove it from the URL and pass the credential as a secret: --secret NAME.",
        )
    connection = {"host": parts.hostname, "port": parts.port, "username": parts.username}
    options: Json = {key: value for key, value in connection.items() if value}
    for text in values.pop("options", ()):
        option, separator, value = text.partition("=")
        if not separator or not option:
            raise UserErrorException(f"Invalid --option {text!r}.", "Use --option NAME=VALUE.")
        options[option] = value
    return {"protocol": parts.scheme, "path": unquote(parts.path), "options": options, **values}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
