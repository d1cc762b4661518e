"""Env dataclass to load and hold all environment variables"""
from dataclasses import dataclass
import os
from typing import Optional


@dataclass(frozen=True)
class Env:
    """Loads all environment variables into a predefined set of properties"""

    workspace_name: Optional[str] = os.environ.get("WORKSPACE_NAME")
    resource_group: Optional[str] = os.environ.get("RESOURCE_GROUP")
    subscription_id: Optional[str] = os.environ.get("SUBSCRIPTION_ID")
    vm_size: Optional[str] = os.environ.get("AML_COMPUTE_CLUSTER_CPU_SKU")
    compute_name: Optional[str] = os.environ.get("AML_COMPUTE_CLUSTER_NAME")
    vm_priority: Optional[str] = os.environ.get("AML_CLUSTER_PRIORITY", "lowpriority")
    min_nodes: int = int(os.environ.get("AML_CLUSTER_MIN_NODES", 0))
    max_nodes: int = int(os.environ.get("AML_CLUSTER_MAX_NODES", 4))
    build_id: Optional[str] = os.environ.get("BUILD_BUILDID")
    experiment_name: Optional[str] = os.environ.get("EXPERIMENT_NAME")
    model_name: Optional[str] = os.environ.get("MODEL_NAME")
    sources_directory_train: Optional[str] = os.environ.get("SOURCES_DIR_TRAIN")
    train_script_path: Optional[str] = os.environ.get("TRAIN_SCRIPT_PATH")
    aml_env_name: Optional[str] = os.environ.get("AML_ENV_NAME")
    rebuild_env: Optional[bool] = os.environ.get("AML_REBUILD_ENVIRONMENT", "false").lower().strip() == "true"
