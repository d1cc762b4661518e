"""Which files ``python FILE`` runs, without ``scriptrun exec``."""

from __future__ import annotations

import re

from scriptrun.migration.code.documents import Document
from scriptrun.migration.estimators.call import CannotRewrite

_DROPIN = b"scriptrun.dropin"
_AZUREML_IMPORT = re.compile(rb"\b(from|import)[ \t]+azureml\b")


def suits(path: str, content: bytes) -> bool:
    """Whether Python alone runs a file of this content: azureml's names come from the drop-in.

    Files that a notebook's cells write are not code of the notebook.
    """
    try:
        content = Document(path, content).program_text().encode()
    except CannotRewrite:
        pass
    return _DROPIN in content or not _AZUREML_IMPORT.search(content)
