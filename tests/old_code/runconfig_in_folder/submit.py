from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.core.runconfig import RunConfiguration
ws = Workspace.from_config()
cfg = RunConfiguration.load("code", "config/train")
src = ScriptRunConfig("code", cfg.script, run_config=cfg)
run = Experiment(ws, "by-file").submit(src)
run.wait_for_completion()
print(run.get_status())
