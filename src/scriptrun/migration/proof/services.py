"""Services in a proof: what would be deployed is recorded, and nothing is started."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import urllib.request
import uuid
from collections.abc import Callable, Iterable

from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace
from scriptrun.migration.proof.fake_runs import MARK, FakeRun, register_model
from scriptrun.services import deploy as deployment
from scriptrun.services import prepare, sdk_request, source, webservice
from scriptrun.services.request import ServiceRequest
from scriptrun.spec.errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from scriptrun.config.services.inference_config import InferenceConfig
    from scriptrun.runtime.hints import Json

#: the kind of a recorded job that is a service
KIND = "service"


class Services:
    """Replaces deployment: ``record`` gets each service, ``note`` each assumption.

    ``lack`` is called with the names of services that are looked up but missing.
    """

    def __init__(
        self,
        record: Callable[[Json], None],
        note: Callable[[str], None],
        lack: Callable[[str], None],
    ) -> None:
        self._record, self._note, self._lack = record, note, lack
        self._known: dict[str, FakeService] = {}

    def grant(self, name: str) -> None:
        """Let the workspace have a service of that name."""
        self._note(f"the {KIND} {name!r}")
        self._known[name] = FakeService(self, None, name)

    def replace_all(self) -> None:
        """Start and look up no service from now on."""
        setattr(deployment, "deploy", self.deploy)  # noqa: B010
        setattr(Model, "package", staticmethod(self.package))  # noqa: B010
        setattr(Model, "register", staticmethod(self._registering(Model.register)))  # noqa: B010
        setattr(webservice.Webservice, "__new__", self._looking_up)  # noqa: B010
        listing = staticmethod(lambda *_, **__: [*self._known.values()])
        setattr(webservice.Webservice, "list", listing)  # noqa: B010
        setattr(Workspace, "webservices", property(lambda _: _Listing(self._known, self._lack)))  # noqa: B010
        _answer_requests()

    def deploy(
        self, workspace: Workspace, request: ServiceRequest, overwrite: bool = False
    ) -> FakeService:
        """Record the service, and return a stand-in for it."""
        if request.name in self._known and not overwrite:
            raise WebserviceException(
                f"Service {request.name!r} already exists.",
                hint="Deploy it with overwrite=True, or under another name.",
            )
        self.record(workspace, request, {"overwrite": overwrite})
        self._known[request.name] = FakeService(self, workspace, request.name)
        return self._known[request.name]

    def package(
        self,
        workspace: Workspace,
        models: list[object],
        inference_config: InferenceConfig | None = None,
        generate_dockerfile: bool = False,
        *_: object,
        **__: object,
    ) -> FakeRun:
        """Record what would be packaged, and return a stand-in for the package."""
        request = sdk_request.request_of(workspace, "package", models, inference_config)
        self.record(workspace, request, {"dockerfile": generate_dockerfile})
        return FakeRun(name="package")

    def record(self, workspace: Workspace, request: ServiceRequest, facts: Json) -> None:
        """Record the job that ``request`` would be, the request itself, and the ``facts``."""
        problems = list[str]()
        with source.gather(request) as gathered:
            checked = prepare._check_job(workspace, request, gathered, problems)
        if checked is None or problems:
            self._record({"refused": "; ".join(problems)})
            return
        folder = str(request.source_directory or ".")
        if folder.startswith(str(workspace.directory)):  # the files of an image
            folder = "."
        own = {
            "id": uuid.uuid4().hex,
            "source_directory": folder,
            "script": request.entry_script,
        }
        described: Json = {**request.replace(environment=None).to_json(), **facts}
        described["source_directory"] = folder
        described.pop("pins", None)  # the job's environment has them
        self._record({**checked.job.to_dict(), **own, "kind": KIND, KIND: described})

    def remove(self, name: str) -> None:
        """Forget the service."""
        self._known.pop(name, None)

    def _looking_up(
        self, cls: type, workspace: Workspace, name: str, *_: object, **__: object
    ) -> FakeService:
        found = self._known.get(name)
        if found is None:
            self._lack(name)
            raise WebserviceException(
                f"WebserviceNotFound: there is no service {name!r}.",
                hint="Deploy the service first.",
            )
        return found

    def _registering(self, original: Callable[..., object]) -> Callable[..., object]:
        def register(
            workspace: object, model_path: str, model_name: str, *args: object, **facts: object
        ) -> object:
            if os.path.exists(model_path):
                return original(workspace, model_path, model_name, *args, **facts)
            self._note(f"the files of model {model_name!r}")
            return register_model(model_name, **facts)

        return register


class FakeService(FakeRun):
    """A service that answers."""

    def __init__(
        self,
        services: Services | None = None,
        workspace: object = None,
        name: str = "",
        **_: object,
    ) -> None:
        super().__init__()
        if services is None:  # a result of its own methods
            return
        self.name, self.state, self.auth_enabled = name, "Healthy", False
        self.scoring_uri, self.swagger_uri = f"http://{MARK}/score", f"http://{MARK}/swagger.json"
        self.get_keys.return_value = (MARK, MARK)
        self.get_token.return_value = (MARK, MARK)
        self.delete = lambda *_, **__: services.remove(name)

        def update(
            *args: object,
            models: Iterable[object] | None = None,
            inference_config: InferenceConfig | None = None,
            **facts: object,
        ) -> None:
            place = workspace if isinstance(workspace, Workspace) else Workspace.from_config()
            request = sdk_request.request_of(place, name, models, inference_config)
            changes = {"update": [*map(str, args), *sorted(map(str, facts.items()))]}
            services.record(place, request, changes)

        self.update = update

    def _get_child_mock(self, /, **kwargs: object) -> FakeRun:
        return FakeRun(**kwargs)


class _Listing(dict[str, FakeService]):
    def __init__(self, known: dict[str, FakeService], lack: Callable[[str], None]) -> None:
        super().__init__(known)
        self._lack = lack

    def __missing__(self, name: str) -> NoReturn:
        self._lack(name)
        raise KeyError(name)


def _answer_requests() -> None:
    """Let the services answer ``requests`` and urllib, and ``json.loads`` read the answers."""
    _divert(json, "loads", lambda s, *_, **__: isinstance(s, FakeRun))
    _divert(urllib.request, "urlopen", lambda url, *_, **__: _is_of_service(url))
    if importlib.util.find_spec("requests") is not None:  # else it is a stand-in itself
        session = importlib.import_module("requests.sessions").Session
        _divert(session, "request", lambda self, method, url, *_, **__: _is_of_service(url))


def _is_of_service(url: object) -> bool:
    return MARK in str(getattr(url, "full_url", url))


def _divert(owner: object, name: str, is_of_service: Callable[..., bool]) -> None:
    """Let a stand-in answer the calls of a function that are for a service."""
    original: Callable[..., object] = getattr(owner, name)

    def call(*args: object, **named: object) -> object:
        if not is_of_service(*args, **named):
            return original(*args, **named)
        answer = FakeRun(name="answer")
        answer.status_code, answer.ok = 200, True
        return answer

    setattr(owner, name, call)
