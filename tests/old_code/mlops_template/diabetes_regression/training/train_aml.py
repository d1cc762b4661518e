from azureml.core.run import Run
from azureml.core import Dataset, Datastore, Workspace
from azureml.core.model import Model as AMLModel
import os
import argparse
import joblib
import json
import sys
import traceback
sys.path.append(".")
from training.train import split_data, train_model, get_model_metrics
import pandas as pd


def main():
    print("Running train_aml.py")

    parser = argparse.ArgumentParser("train")
    parser.add_argument("--model_name", type=str, help="Name of the Model", default="diabetes_model.pkl")
    parser.add_argument("--build_id", type=str)
    args = parser.parse_args()
    model_name = args.model_name

    run = Run.get_context()

    print("Getting training parameters")
    # Load the training parameters from the parameters file
    with open("parameters.json") as f:
        pars = json.load(f)
    train_args = pars["training"]

    # Log the training parameters
    print(f"Parameters: {train_args}")
    for (k, v) in train_args.items():
        run.log(k, v)
        if run.parent is not None:
            run.parent.log(k, v)

    data = split_data(pd.read_csv("data/diabetes.csv"), train_args["test_size"])
    model = train_model(data, {"alpha": train_args["alpha"]})

    # Evaluate and log the metrics returned from the train function
    metrics = get_model_metrics(model, data)
    for (k, v) in metrics.items():
        run.log(k, v)

    # Also upload model file to run outputs for history
    os.makedirs("outputs", exist_ok=True)
    output_path = os.path.join("outputs", model_name)
    joblib.dump(value=model, filename=output_path)

    run.tag("run_type", value="train")
    print(f"tags now present for run: {run.tags}")

    try:
        AMLModel.register(workspace=run.experiment.workspace, model_path=output_path, model_name=model_name,
            tags={"area": "diabetes_regression", "run_id": run.id, "BuildId": os.environ["BUILD_ID"]})
    except Exception:
        traceback.print_exc(limit=None, file=None, chain=True)
        raise
    run.complete()


if __name__ == "__main__":
    main()
