"""Submit fine-tuning runs for several GLUE tasks.

    python aml_submit.py --glue_task mrpc,cola
"""
import argparse
from pathlib import Path
from typing import Dict, List, Optional, Any, Union
from dataclasses import dataclass, asdict

import azureml.core
from azureml.core import Environment, Experiment, Run, ScriptRunConfig, Workspace
from azureml.core.runconfig import MpiConfiguration

print("SDK version:", azureml.core.VERSION)
HERE = Path(__file__).resolve().parent


def transformers_environment(use_gpu: bool = True) -> Environment:
    """Prepare Azure ML Environment for transformers."""
    pip_requirements_path = str(HERE.joinpath("requirements.txt"))
    print(f"Create Azure ML Environment from {pip_requirements_path}")
    env_name = "transformers-gpu" if use_gpu else "transformers-cpu"
    env = Environment.from_pip_requirements(name=env_name, file_path=pip_requirements_path)
    if use_gpu is True:
        env.docker.enabled = True
        env.docker.base_image = "mcr.microsoft.com/azureml/openmpi3.1.2-cuda10.1-cudnn7-ubuntu18.04"
    return env


@dataclass
class Task:
    glue_task: str
    learning_rate: float = 2e-5
    num_train_epochs: int = 2
    fp16: Optional[bool] = None


def make_arguments(task: Task) -> List[Any]:
    arguments = []
    for k, v in asdict(task).items():
        if v is None:
            continue
        arguments.extend([f"--{k}", v])
    return arguments


def submit_glue_finetune_run(target: str, task: Task, model_checkpoint: str = "distilbert", environment: Optional[Environment] = None,
                             experiment: Optional[Experiment] = None) -> Run:
    config = ScriptRunConfig(
        source_directory=str(HERE.joinpath("glue_finetune")),
        script="train.py",
        arguments=["--output_dir", "outputs", "--model_checkpoint", model_checkpoint, "--evaluation_strategy", "epoch"] + make_arguments(task),
        environment=environment,
        compute_target=target,
    )
    run = experiment.submit(config)
    run.display_name = f"glue-{task.glue_task}"
    run.set_tags({"task": task.glue_task, "model_checkpoint": model_checkpoint, "target": target})
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--glue_task", default="mrpc")
    args = parser.parse_args()
    ws: Workspace = Workspace.from_config()
    target = ws.compute_targets["gpu-cluster"]
    env: Environment = transformers_environment(use_gpu=True)
    exp: Experiment = Experiment(ws, "transformers-glue-finetuning")
    runs: Dict[str, Run] = {}
    for name in args.glue_task.split(","):
        runs[name] = submit_glue_finetune_run(target.name, Task(name, learning_rate=5e-5 if name == "cola" else 2e-5), environment=env, experiment=exp)
    for name, run in runs.items():
        run.wait_for_completion()
        metrics = run.get_metrics()
        print(name, metrics["eval_accuracy"], len(metrics["train_loss"]), run.display_name)
