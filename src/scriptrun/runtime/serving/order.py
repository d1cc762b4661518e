"""The order of a service: what to serve, and how. ``service.json`` in the run's folder holds it.

``scriptrun.services`` writes it once, before the run starts; the server only reads it. It contains
no secret: the keys are in the variable ``KEYS_VARIABLE``, which is never recorded.
"""

import os

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from scriptrun.runtime.hints import Json

#: the number of this format, and the file's name
SCHEMA = 1
FILE = "service.json"
#: the folder with the models, in the run's folder: NAME/VERSION/FILE
MODELS = "azureml-models"
#: the variable with the accepted keys, separated by blanks
KEYS_VARIABLE = "SCRIPTRUN_SERVICE_KEYS"

#: values of ``auth``: everybody may call it; callers send ``Authorization: Bearer KEY``
OPEN, KEY = "none", "key"

DEFAULTS: "Json" = {
    # the service's name
    "name": "",
    # the script with init() and run(), relative to the working directory; None: the first model is
    # served by what it is
    "entry_script": None,
    # the name of the source directory: a link to it is made in the working directory
    "source_name": None,
    # the models: name, version, framework (or None), and path, that of the model's file or folder,
    # relative to the run's folder
    "models": [],
    # AZUREML_MODEL_DIR, relative to the run's folder; None: there are no models
    "model_dir": None,
    # the address to listen on, and the port (0: any free one)
    "host": "127.0.0.1",
    "port": 0,
    # worker processes, and how often those that die are replaced, all together; after 10 minutes
    # with all workers healthy the count begins again
    "workers": 1,
    "restarts": 3,
    # seconds for one call of run(), and for init(); None: no limit
    "timeout_seconds": 60.0,
    "start_seconds": 600.0,
    # seconds for a client to send its request (a body that arrives faster than 8 KiB/s has longer),
    # and the largest body in bytes
    "read_seconds": 60.0,
    "body_limit": 100 * 1024 * 1024,
    # who may call it: OPEN or KEY
    "auth": OPEN,
    # further names in the Host header, and origins of pages that may call it ("*": any)
    "allowed_hosts": [],
    "allowed_origins": [],
    # the ID of the run of the service that this one replaces on its port, or None
    "replaces": None,
    # a file in the run's folder with one request's body: answer it, print the answer, and end
    "test": None,
}


class ServiceOrder:
    """The order of one service; its fields are those of ``DEFAULTS``. Paths are relative to the
    run's folder.
    """

    name: str = ""
    entry_script: "Optional[str]" = None
    source_name: "Optional[str]" = None
    models: "List[Json]" = []
    model_dir: "Optional[str]" = None
    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    restarts: int = 3
    timeout_seconds: "Optional[float]" = 60.0
    start_seconds: "Optional[float]" = 600.0
    read_seconds: float = 60.0
    body_limit: int = 0
    auth: str = OPEN
    allowed_hosts: "List[str]" = []
    allowed_origins: "List[str]" = []
    replaces: "Optional[str]" = None
    test: "Optional[str]" = None

    def __init__(self, **given: object) -> None:
        unknown = sorted(set(given) - set(DEFAULTS))
        if unknown:
            raise TypeError("a service's order has no field {}".format(", ".join(unknown)))
        self.__dict__.update(DEFAULTS, **given)

    def to_json(self) -> "Json":
        """All fields, and ``schema``, as a JSON object."""
        return dict({name: getattr(self, name) for name in DEFAULTS}, schema=SCHEMA)

    @classmethod
    def from_json(cls, value: "Json") -> "ServiceOrder":
        """The order in ``value``; unknown fields are ignored.

        Raises ValueError for a newer format.
        """
        if value.get("schema") != SCHEMA:
            message = "The service's order has schema {}, and this scriptrun knows {}."
            raise ValueError(message.format(value.get("schema"), SCHEMA))
        return cls(**{name: value[name] for name in DEFAULTS if name in value})


def read(folder: str) -> ServiceOrder:
    """The order of the service whose run is in ``folder``. Raises ValueError if it is damaged."""
    value = files.read_object(os.path.join(folder, FILE))
    if value is None:
        raise ValueError("{} is missing or damaged".format(os.path.join(folder, FILE)))
    return ServiceOrder.from_json(value)
