"""Azure's own base images; to scriptrun they only mean "Linux with conda"."""

from __future__ import annotations

#: the default images of SDK 1.61, without and with CUDA
DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"
INTEL_MPI_CPU_IMAGE = "mcr.microsoft.com/azureml/intelmpi2018.3-ubuntu16.04"
INTEL_MPI_GPU_IMAGE = "mcr.microsoft.com/azureml/intelmpi2018.3-cuda10.0-cudnn7-ubuntu16.04"

_AZURE_PREFIX = "mcr.microsoft.com/azureml/"
#: base images of curated environments that are not in Azure's registry
_CURATED_BASES = frozenset({"todrabas/aml_rapids:latest", "microsoft/mmlspark:0.15"})


def is_azure_image(image: str | None) -> bool:
    """Whether ``image`` is a default of Azure's, or None: not the user's choice."""
    return not image or image.startswith(_AZURE_PREFIX) or image in _CURATED_BASES
