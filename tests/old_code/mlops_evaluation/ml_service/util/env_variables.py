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
    compute_name: Optional[str] = os.environ.get("AML_COMPUTE_CLUSTER_NAME", "train-cluster")
    vm_size: Optional[str] = os.environ.get("AML_COMPUTE_CLUSTER_CPU_SKU", "STANDARD_DS2_V2")
    vm_priority: Optional[str] = os.environ.get("AML_CLUSTER_PRIORITY", "lowpriority")
    min_nodes: int = int(os.environ.get("AML_CLUSTER_MIN_NODES", 0))
    max_nodes: int = int(os.environ.get("AML_CLUSTER_MAX_NODES", 4))
    build_id: Optional[str] = os.environ.get("BUILD_BUILDID")
    sources_directory_train: Optional[str] = os.environ.get("SOURCES_DIR_TRAIN", "code")
    train_script_path: Optional[str] = os.environ.get("TRAIN_SCRIPT_PATH", "training/train.py")
    evaluate_script_path: Optional[str] = os.environ.get("EVALUATE_SCRIPT_PATH", "evaluate/evaluate_model.py")
    model_name: Optional[str] = os.environ.get("MODEL_NAME", "credit")
    experiment_name: Optional[str] = os.environ.get("EXPERIMENT_NAME", "credit-exp")
    aml_env_name: Optional[str] = os.environ.get("AML_ENV_NAME", "credit_env")
    aml_env_train_conda_dep_file: Optional[str] = os.environ.get("AML_ENV_TRAIN_CONDA_DEP_FILE", "conda_dependencies.yml")
    rebuild_env: Optional[bool] = os.environ.get("AML_REBUILD_ENVIRONMENT", "false").lower().strip() == "true"
    datastore_name: Optional[str] = os.environ.get("DATASTORE_NAME")
    dataset_name: Optional[str] = os.environ.get("DATASET_NAME", "credit_ds")
    run_evaluation: Optional[str] = os.environ.get("RUN_EVALUATION", "true")
    allow_run_cancel: Optional[str] = os.environ.get("ALLOW_RUN_CANCEL", "true")
