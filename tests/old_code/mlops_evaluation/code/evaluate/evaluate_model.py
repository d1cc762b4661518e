from azureml.core import Run, Experiment, Workspace
from azureml.core.model import Model as AMLModel
import argparse
import traceback

run = Run.get_context()
exp = run.experiment
ws = run.experiment.workspace

parser = argparse.ArgumentParser("evaluate")
parser.add_argument("--run_id", type=str, help="Training run ID")
parser.add_argument("--model_name", type=str)
parser.add_argument("--allow_run_cancel", type=str, default="true")
args = parser.parse_args()
allow_run_cancel = args.allow_run_cancel

try:
    tag_name = "experiment_name"
    model = None
    try:
        model = AMLModel(ws, args.model_name)
    except Exception:
        print("no model yet")
    new_run = Run(experiment=exp, run_id=args.run_id)
    metric_eval = "accuracy"
    new_metric = new_run.get_metrics().get(metric_eval)
    if model is not None:
        production = None
        if metric_eval in model.tags:
            production = float(model.tags[metric_eval])
        if production is None or new_metric is None:
            print("Unable to find", metric_eval, "metrics, exiting evaluation")
            if (allow_run_cancel).lower() == "true":
                run.parent.cancel()
        elif new_metric > production:
            print("New trained model performs better, thus it should be registered")
        else:
            print("New trained model metric is worse than or equal to production model so skipping model registration.")
            if (allow_run_cancel).lower() == "true":
                run.cancel()
    else:
        print("This is the first model, thus it should be registered")
        model = new_run.register_model(model_name=args.model_name, model_path="outputs/" + args.model_name + ".pkl",
                                       tags={"accuracy": new_metric, "run_id": args.run_id, "experiment_name": exp.name})
        print("registered", model.name, model.version, model.tags["run_id"] == args.run_id)
except Exception:
    traceback.print_exc(limit=None, file=None, chain=True)
    print("Something went wrong trying to evaluate. Exiting.")
    raise
