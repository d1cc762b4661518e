"""Open obstore stores from a datastore's settings, and find their credentials."""

from __future__ import annotations

import importlib
import os
from datetime import timedelta

from scriptrun.data.errors import DatastoreException, missing_package
from scriptrun.data.stores import credentials as store_credentials
from scriptrun.data.stores.timeouts import CONNECT, REQUEST, time_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

    from scriptrun.runtime.hints import Json


#: each provider's login library, and obstore's credential provider for it
_LOGIN_LIBRARIES = {
    "Azure": ("azure.identity", "obstore.auth.azure", "AzureCredentialProvider"),
    "S3": ("boto3", "obstore.auth.boto3", "Boto3CredentialProvider"),
    "GCS": ("google.auth", "obstore.auth.google", "GoogleCredentialProvider"),
}
#: variables that mean that the environment provides credentials
_CREDENTIAL_VARIABLES = {
    "Azure": ("AZURE_STORAGE_", "AZURE_CLIENT_", "AZURE_FEDERATED_TOKEN_FILE"),
    "S3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_"),
    "GCS": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_APPLICATION_CREDENTIALS"),
}


def azure(settings: Json) -> AzureStore:
    """Open an Azure Blob container: ``container_name`` of ``account_name``."""
    config: dict[str, object] = {"account_name": settings["account_name"]}
    endpoint = azure_endpoint(settings)
    if endpoint:
        config["endpoint"] = endpoint
    for option in ("tenant_id", "client_id", "authority_host"):
        if settings.get(option):
            config[option] = settings[option]
    names = {"account_key": "account_key", "sas_token": "sas_key", "client_secret": "client_secret"}
    value = _secret(settings)
    if value:
        kind = settings.get("credential") or ("sas_token" if "sig=" in value else "account_key")
        config[names[kind]] = value.lstrip("?")
    return _open("Azure", "AzureStore", settings["container_name"], config, settings, endpoint)


def azure_endpoint(settings: Json) -> str:
    """The URL of the account, or "" in the public cloud.

    As in the SDK v1, ``endpoint`` is a suffix (``core.chinacloudapi.cn``); a full URL (e.g. of an
    emulator) is used unchanged.
    """
    endpoint = settings.get("endpoint") or ""
    if "://" in endpoint:
        return str(endpoint)
    protocol = settings.get("protocol") or "https"
    if not endpoint and protocol == "https":
        return ""
    suffix = endpoint or "core.windows.net"
    return f"{protocol}://{settings['account_name']}.blob.{suffix}"


def s3(settings: Json) -> S3Store:
    """Open a bucket of S3 or compatible. Its secret is ``ACCESS_KEY_ID:SECRET_ACCESS_KEY``."""
    endpoint = settings.get("endpoint") or ""
    config: dict[str, object] = {"region": settings.get("region") or os.environ.get("AWS_REGION")}
    config["region"] = config["region"] or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if endpoint:
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    value = _secret(settings)
    if value:
        key, colon, secret = value.partition(":")
        if not colon:
            raise DatastoreException(
                f"Secret {settings['secret']!r} is not a pair of S3 keys.",
                "Expected ACCESS_KEY_ID:SECRET_ACCESS_KEY.",
            )
        config |= {"access_key_id": key, "secret_access_key": secret}
    return _open("S3", "S3Store", settings["bucket"], config, settings, endpoint)


def gcs(settings: Json) -> GCSStore:
    """Open a Google Cloud Storage bucket. Its secret is a service account's key, as JSON."""
    config: dict[str, object] = {}
    endpoint = settings.get("endpoint") or ""
    if endpoint:
        config["base_url"] = endpoint
    value = _secret(settings)
    if value:
        config["service_account_key"] = value
    return _open("GCS", "GCSStore", settings["bucket"], config, settings, endpoint)


def _secret(settings: Json) -> str:
    """The value of the secret named in the settings, or ""."""
    return store_credentials.find(settings["secret"]) if settings.get("secret") else ""


def _open(
    kind: str,
    class_name: str,
    bucket: str,
    config: dict[str, object],
    settings: Json,
    endpoint: str,
) -> ObjectStore:
    try:
        import obstore.store as stores
    except ImportError:
        raise missing_package("obstore", f"A datastore on {kind}") from None
    limit = timedelta(seconds=time_limit())
    client_options: dict[str, object] = {
        "connect_timeout": timedelta(seconds=CONNECT),
        "timeout": timedelta(seconds=REQUEST),
        "read_timeout": limit,
    }
    if endpoint.startswith("http://"):
        client_options["allow_http"] = True
    options: dict[str, object] = {
        "client_options": client_options,
        "retry_config": {"retry_timeout": limit},
    }
    if settings.get("root"):
        options["prefix"] = settings["root"]
    if settings.get("anonymous"):
        config["skip_signature"] = True
    elif not settings.get("secret"):
        options |= _login_options(kind)
    try:
        return getattr(stores, class_name)(bucket, config=config, **options)
    except Exception as error:
        raise DatastoreException(
            f"Invalid settings of the datastore on {kind} ({bucket}): {type(error).__name__}.",
            "Check its URL, its names and the format of its secret.",
        ) from None


def _login_options(kind: str) -> dict[str, object]:
    """Use the provider's own login if its library is installed and no variable overrides it."""
    if any(name.startswith(_CREDENTIAL_VARIABLES[kind]) for name in os.environ):
        return {}
    library, module, provider = _LOGIN_LIBRARIES[kind]
    try:
        importlib.import_module(library)
        return {"credential_provider": getattr(importlib.import_module(module), provider)()}
    except Exception:
        return {}  # not installed or not logged in: use obstore's own chain
