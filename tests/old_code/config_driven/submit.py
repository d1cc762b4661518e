"""Everything is in jobs.yml; classes are looked up by name."""
import argparse
import importlib
import sys
import yaml
import azureml.core
import azureml.core.runconfig as rc
import azureml.train.hyperdrive as hd
from azureml.core import Workspace, Experiment
from azureml.core import ScriptRunConfig, Environment

def build(node, ws, refs):
    if isinstance(node, dict) and "_class_" in node:
        node = dict(node)
        module, _, name = node.pop("_class_").rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        positional = [build(v, ws, refs) for v in node.pop("_args_", [])]
        return cls(*positional, **{k: build(v, ws, refs) for k, v in node.items()})
    if isinstance(node, dict):
        return {k: build(v, ws, refs) for k, v in node.items()}
    if isinstance(node, list):
        return [build(v, ws, refs) for v in node]
    if isinstance(node, str) and node.startswith("@"):
        return refs[node[1:]]
    return node

def main(argv=None):
    p = argparse.ArgumentParser()
    p.add_argument("job", nargs="*"); p.add_argument("-f", "--file", default="jobs.yml")
    a = p.parse_args(argv)
    cfg = yaml.safe_load(open(a.file))
    ws = Workspace.from_config()
    refs = {"target": cfg["target"]}
    env = Environment(**cfg["environment"]["init"])
    for key, value in cfg["environment"].get("set", {}).items():
        owner = env
        *path, last = key.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, value)
    refs["env"] = env
    for name, job in cfg["jobs"].items():
        if a.job and name not in a.job:
            continue
        kwargs = {k: build(v, ws, refs) for k, v in job["config"].items()}
        src = ScriptRunConfig(**kwargs)
        for k, v in (job.get("run_config") or {}).items():
            setattr(src.run_config, k, v)
        config = src
        if "sweep" in job:
            config = hd.HyperDriveConfig(run_config=src, **build(job["sweep"], ws, refs), primary_metric_goal=getattr(hd.PrimaryMetricGoal, job["goal"]))
        run = Experiment(workspace=ws, name=name).submit(config, tags=job.get("tags"))
        run.wait_for_completion(show_output=False)
        print(name, run.get_status(), run.get_metrics() if config is src else run.get_best_run_by_primary_metric().get_metrics())

if __name__ == "__main__":
    main()
