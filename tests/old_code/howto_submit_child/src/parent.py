import argparse
from azureml.core import Run, ScriptRunConfig

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int, default=2)
args, unknown = parser.parse_known_args()
run = Run.get_context()
children = []
for fold in range(args.n):
    config = ScriptRunConfig(source_directory=".", script="fold.py", arguments=["--fold", fold])
    config.run_config.environment.python.user_managed_dependencies = True
    children.append(run.submit_child(config, tags={"fold": str(fold)}))
for child in children:
    child.wait_for_completion(show_output=False)
scores = [child.get_metrics()["score"] for child in children]
run.log("mean score", sum(scores) / len(scores))
for child in run.get_children():
    print("child", child.get_status())
