"""What `az ml run submit-script -c train -e cli-exp src/train.py --lr 0.5` did."""
import sys
from azureml.core import Experiment, RunConfiguration, ScriptRunConfig, Workspace
ws = Workspace.from_config()
name, script, *arguments = sys.argv[1:]
rc = RunConfiguration.load(".", name)
run = Experiment(ws, "cli-exp").submit(ScriptRunConfig(".", script, arguments, run_config=rc))
run.wait_for_completion(show_output=True)
print(run.get_metrics())
