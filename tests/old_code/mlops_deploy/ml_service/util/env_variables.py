import os
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Env:
    workspace_name: Optional[str] = os.environ.get("WORKSPACE_NAME")
    resource_group: Optional[str] = os.environ.get("RESOURCE_GROUP")
    subscription_id: Optional[str] = os.environ.get("SUBSCRIPTION_ID")
    model_name: Optional[str] = os.environ.get("MODEL_NAME", "diabetes_regression_model.pkl")
    sources_directory: Optional[str] = os.environ.get("SOURCES_DIR_TRAIN", "diabetes_regression")
    aci_deployment_name: Optional[str] = os.environ.get("ACI_DEPLOYMENT_NAME")
    build_id: Optional[str] = os.environ.get("BUILD_BUILDID")
