"""The frameworks with their own Estimators: their versions and environments."""

from __future__ import annotations

#: by framework: the default version, and all versions
VERSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "PyTorch": ("1.4", ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6")),
    "TensorFlow": ("1.13", ("1.10", "1.12", "1.13", "2.0", "2.1", "2.2", "2.3")),
    "Chainer": ("5.1.0", ("5.1.0",)),
    "SKLearn": ("0.20.3", ("0.20.3",)),
}
#: the first release of the default 1.13 that PyPI has
TENSORFLOW_DEFAULT_VERSION = "1.13.1"


def curated_name(framework: str, version: str, gpu: bool) -> str:
    """The name of the curated environment of a framework's version."""
    if framework == "SKLearn":
        return f"AzureML-Scikit-learn-{version}"
    return f"AzureML-{framework}-{version}-{'GPU' if gpu else 'CPU'}"


def environment_name(framework: str) -> str:
    """The name of an Estimator's environment; ``framework`` is "" for a plain Estimator."""
    return f"{framework.lower()}-estimator" if framework else "estimator"
