"""The documents of commands that act on services."""

from __future__ import annotations

from scriptrun.cli.schemas import runs
from scriptrun.cli.schemas.shapes import (
    anything,
    array,
    boolean,
    document,
    integer,
    mapping,
    named,
    nullable,
    text,
    time,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_SERVICE: Json = {
    "name": text("the service's name"),
    "state": text(
        "the state: `Transitioning` while it starts or stops",
        *("Transitioning", "Healthy", "Unhealthy", "Failed", "Stopped"),
    ),
    "reason": text("why it does not answer"),
    "url": nullable(text("the URL to post requests to; null before it listens")),
    "host": nullable(text("its host, as this machine reaches it")),
    "port": nullable(integer("its port")),
    "workers": nullable(integer("how many workers answer")),
    "restarts": nullable(integer("how many workers were replaced")),
    "models": array(text(), "the models: NAME:VERSION, or a path"),
    "entry": nullable(text("the entry script; null: the model is served by what it is")),
    "auth": text("`key`: callers send a key", "none", "key"),
    "run": text("the ID of the run that serves"),
    "failed_update": nullable(text("why the latest update failed; null if it did not")),
    "created": time("when it was first deployed"),
    "updated": time("when it was last changed"),
    "description": text("the description"),
    "tags": mapping({"type": ["string", "null"]}, "tags by name"),
    "properties": mapping(anything(), "properties by name"),
}
_SERVICES = array(named("service", "A service.", **_SERVICE), "the services")

DOCUMENTS = {
    "serve": document("The service, when it answers.", **_SERVICE),
    "serve (--test)": document(
        "The response to one request.",
        run=text("the ID of the run that answered"),
        answered=boolean("whether the script answered; false if it raised"),
        response=nullable(text("the response; null if there is none")),
    ),
    "serve (--package)": document(
        "The folder that was written.",
        folder=text("the folder"),
        image=text("the name of the image in its README"),
    ),
    "service list": document("The services.", services=_SERVICES),
    "service show": document("A service.", **_SERVICE),
    "service logs": runs.DOCUMENTS["logs"],
    "service logs (last line)": runs.DOCUMENTS["logs (last line)"],
    "service test": document(
        "The response.", name=text("the service"), response=anything("the response")
    ),
    "service keys": document(
        "The service's keys.",
        name=text("the service"),
        primary=text("the primary key"),
        secondary=text("the secondary key"),
    ),
    "service reload": document("The service, when the new one answers.", **_SERVICE),
    "service restart": document("The service, when the new one answers.", **_SERVICE),
    "service start": document("The service, when it answers.", **_SERVICE),
    "service stop": document("The services that were stopped.", services=_SERVICES),
    "service remove": document(
        "The services that were removed.", removed=array(text(), "their names")
    ),
}
