import os
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration, RunConfiguration
from azureml.train.dnn import Mpi, Nccl, Gloo
from azureml.train.estimator import Estimator

ws = Workspace.from_config()
env = Environment(name="ddp")
env.python.user_managed_dependencies = True
target = "gpu-cluster"

distr = PyTorchConfiguration(process_count=2, node_count=1)
src = ScriptRunConfig(source_directory="src", script="train.py", arguments=["--epochs", 3], compute_target=target,
                      environment=env, distributed_job_config=distr)
run = Experiment(ws, "cifar-ddp").submit(src)
run.wait_for_completion(show_output=True)

mpi_env = Environment(name="mpi")
mpi_env.python.conda_dependencies.add_pip_package("mpi4py")
mpi = ScriptRunConfig("src", "train.py", compute_target=target, environment=mpi_env,
                      distributed_job_config=MpiConfiguration(process_count_per_node=2, node_count=1))
mpi.run_config.node_count = 1
run = Experiment(ws, "cifar-mpi").submit(mpi)
run.wait_for_completion(show_output=False)
print(sorted(n for n in run.get_file_names() if n.startswith("outputs/")))

est = Estimator(source_directory="src", compute_target=target, entry_script="train.py", script_params={"--epochs": 1, "--backend": "gloo"},
                node_count=1, distributed_training=Mpi(process_count_per_node=2), use_gpu=False, pip_packages=["mpi4py"])
run = Experiment(ws, "cifar-estimator").submit(est)
run.wait_for_completion()
print(run.get_metrics())
