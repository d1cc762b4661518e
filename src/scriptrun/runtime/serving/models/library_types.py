"""What the server uses of the libraries that run models, for type checkers only; never imported."""

from typing import Dict, List, Mapping, Optional, Protocol, Sequence, overload


class DataType(Protocol):
    """A NumPy dtype."""

    kind: str


class Column(Protocol):
    """A pandas Series."""

    dtype: DataType


class Table(Protocol):
    """A pandas DataFrame."""

    columns: Sequence[str]

    @overload
    def __getitem__(self, name: str) -> Column: ...
    @overload
    def __getitem__(self, names: List[str]) -> "Table": ...

    def astype(self, dtype: Mapping[str, object]) -> "Table":
        """Convert columns."""
        ...


class NamedInput(Protocol):
    """An input of an ONNX model."""

    name: str
    type: str
    shape: Sequence[object]


class OnnxSession(Protocol):
    """An InferenceSession of ONNX Runtime."""

    def get_inputs(self) -> List[NamedInput]:
        """Return the inputs."""
        ...

    def get_outputs(self) -> List[NamedInput]:
        """Return the outputs."""
        ...

    def run(self, names: List[str], feed: Mapping[str, object]) -> List[object]:
        """Return the values of the outputs ``names``."""
        ...


class MlflowModel(Protocol):
    """A PyFuncModel of MLflow."""

    def predict(self, data: object) -> object:
        """Return the predictions."""
        ...


class TorchModule(Protocol):
    """A ScriptModule of PyTorch."""

    def __call__(self, *tensors: object, **named: object) -> object:
        """Run the network."""
        ...


class XgboostBooster(Protocol):
    """A Booster of XGBoost."""

    feature_names: Optional[List[str]]

    def attributes(self) -> Dict[str, str]:
        """Return the notes that its library saved."""
        ...

    def num_features(self) -> int:
        """Return the number of columns."""
        ...

    def predict(self, matrix: object) -> object:
        """Return the predictions."""
        ...


class SavedEstimator(Protocol):
    """A classifier or regressor of XGBoost."""

    def load_model(self, path: str) -> None:
        """Load what ``save_model`` wrote."""
        ...
