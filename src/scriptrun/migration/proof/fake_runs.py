"""Stand-ins for the runs that a proof does not start: they have completed, and logged anything."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

from scriptrun.core.model import Model
from scriptrun.core.workspace import Workspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: the text of whatever a run gives: a job that depends on it cannot be proved
MARK = "<result of a run>"
#: the value of every metric: arguments have it where they are made of a metric
VALUE = 0.5318008135792468
#: what reads metrics, and what registers models
_METRICS, _REGISTER = "get_metrics", "register_model"


class FakeRun(mock.MagicMock):
    """A run that has completed; so have its children and its best run.

    It is not a file descriptor, so ``open`` closes no stream of this process.
    """

    def __init__(self, /, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        setattr(self, "__index__", _no_number)  # noqa: B010
        setattr(self, "__format__", lambda self, layout: MARK)  # noqa: B010

    def __repr__(self) -> str:
        return MARK

    def _get_child_mock(self, /, **kwargs: object) -> mock.NonCallableMock:
        name = kwargs.get("name") or kwargs.get("_new_name")
        if name == _METRICS:
            return mock.MagicMock(return_value=FakeMetrics())
        if name == _REGISTER:
            return mock.MagicMock(side_effect=register_model)
        return super()._get_child_mock(**kwargs)


def register_model(model_name: str, *_: object, **facts: object) -> Model:
    """Register a stand-in for a model that a run has made, or whose files are not here."""
    workspace = Workspace.from_config()
    folder = workspace.directory / "stand-in" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / str(model_name)
    file.write_bytes(b"")
    framework = facts.get("model_framework")
    return Model.register(
        workspace,
        file,
        str(model_name),
        model_framework=None if framework is None else str(framework),
    )


def _no_number(self: FakeRun) -> NoReturn:
    raise TypeError("it is known only when the job has run")


class FakeMetrics(dict[str, "FakeMetric"]):
    """Metrics of every name, so that code that waits for one continues."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> FakeMetric:
        return FakeMetric(VALUE)

    def get(self, name: str, default: object = None) -> FakeMetric:
        """The metric; no default, since every metric is there."""
        return self[name]


class FakeMetric(float):
    """One value, or a list or table of it: what is compared and formatted as a number."""

    def __getitem__(self, key: object) -> FakeMetric:
        return FakeMetric(self)

    def __iter__(self) -> Iterator[FakeMetric]:
        return iter([FakeMetric(self)])

    def __len__(self) -> int:
        return 1

    def __str__(self) -> str:
        return MARK

    __repr__ = __str__


def new_run() -> FakeRun:
    """A run that has completed."""
    run = FakeRun(name="run")
    run.get_status.return_value = run.status = "Completed"
    run.id = "recorded"
    return run
