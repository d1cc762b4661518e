"""Azure's ``config.json``, which names a workspace."""

from __future__ import annotations

import re
from pathlib import Path

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import LimitExceeded, MalformedDocument
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

FOLDERS = (".azureml", "aml_config")
FILE_NAME = "config.json"


def read(path: Path) -> Json | None:
    """The texts in the file ``path``, its ``workspace_name`` among them; None if it names none.

    Raises UserErrorException for a file that seems to name one and is not JSON.
    """
    try:
        text = document_limits.read_text(path)
        content = json_reader.parse(text, number=PlainScalar.from_yaml)
    except (OSError, UnicodeDecodeError, LimitExceeded):
        return None
    except MalformedDocument as error:
        if "workspace_name" not in text:
            return None  # another program's file
        raise UserErrorException(
            f"{str(path)!r}, {error}.", "Use the file that Azure or Workspace.write_config() wrote."
        ) from None
    if not isinstance(content, dict):
        return None
    facts = {**_of_resource(content), **{k: str(v) for k, v in content.items() if v is not None}}
    return facts if facts.get("workspace_name") else None


def _of_resource(content: Json) -> Json:
    """What the resource's ID says, which files of the SDK's first versions hold."""
    match = re.match(
        r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/.+/workspaces/([^/]+)",
        str(content.get("Scope") or content.get("Id") or ""),
        re.IGNORECASE,
    )
    names = ("subscription_id", "resource_group", "workspace_name")
    return dict(zip(names, match.groups(), strict=True)) if match else {}


def candidates(folder: Path, name: str = FILE_NAME) -> list[Path]:
    """Where ``folder`` may have a file ``name``."""
    return [folder / name, *(folder / inner / name for inner in FOLDERS)]


def project_of(folder: Path) -> Path:
    """The project that ``folder`` belongs to: the one above ``.azureml``."""
    return folder.parent if folder.name in FOLDERS else folder
