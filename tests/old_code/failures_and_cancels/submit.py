import time
from azureml.core import Workspace, Experiment, ScriptRunConfig, Environment
from azureml.exceptions import ActivityFailedException, ExperimentExecutionException, RunEnvironmentException, UserErrorException
from azureml._common.exceptions import AzureMLException

ws = Workspace.from_config()
env = Environment("any"); env.python.user_managed_dependencies = True
exp = Experiment(ws, "failing")

def submit(script, **kw):
    return exp.submit(ScriptRunConfig("src", script, environment=env, **kw))

run = submit("fail.py")
result = run.wait_for_completion(show_output=False, raise_on_error=False)
print(run.get_status(), result.get("status"), "error" in run.get_details(), run.get_tags())
print("bad rows: 17" in str(run.get_details()["error"]))

run = submit("exit3.py")
try:
    run.wait_for_completion(show_output=True)
    print("not raised")
except ActivityFailedException as e:
    print("raised", "3" in str(e))

run = submit("wait.py")
while "started" not in run.get_metrics():
    time.sleep(0.2)
run.cancel()
while run.get_status() not in ("Canceled", "Completed", "Failed"):
    time.sleep(0.2)
print(run.get_status())
run = submit("selffail.py")
run.wait_for_completion(raise_on_error=False)
print(run.get_status(), "no data for today" in str(run.get_details().get("error")))

run = submit("wait.py", max_run_duration_seconds=2)
run.wait_for_completion(raise_on_error=False)
print("long run ended:", run.get_status() in ("Canceled", "Failed"))

try:
    exp.submit(ScriptRunConfig("src", "missing.py", environment=env))
except (UserErrorException, ExperimentExecutionException) as e:
    print("refused", type(e).__name__)
try:
    exp.submit(ScriptRunConfig("nowhere", "missing.py", environment=env))
except Exception as e:
    print("refused", isinstance(e, AzureMLException))
failed = [r.id for r in exp.get_runs() if r.get_status() == "Failed"]
print(len(failed), len(list(exp.get_runs(properties=None))))
