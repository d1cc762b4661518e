"""Training of the credit model"""
import argparse
import json
import os
from azureml.core.run import Run
from azureml.core import Dataset, Datastore, Workspace
import joblib
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def register_dataset(aml_workspace: Workspace, dataset_name: str, datastore_name: str, file_path: str) -> Dataset:
    datastore = Datastore.get(aml_workspace, datastore_name)
    dataset = Dataset.Tabular.from_delimited_files(path=(datastore, file_path))
    dataset = dataset.register(workspace=aml_workspace, name=dataset_name, create_new_version=True)
    return dataset


def main():
    print("Running train.py")
    parser = argparse.ArgumentParser("train")
    parser.add_argument("--model_name", type=str, default="model.pkl")
    parser.add_argument("--dataset_name", type=str)
    parser.add_argument("--dataset_version", type=str)
    parser.add_argument("--data_file_path", type=str, default="none")
    args = parser.parse_args()
    print("Argument [model_name]: %s" % args.model_name)

    run = Run.get_context()
    print("Getting training parameters")
    with open("parameters.json") as f:
        pars = json.load(f)
    train_args = pars["training"]
    # Log the training parameters
    for (k, v) in train_args.items():
        run.log(k, v)
        run.parent.log(k, v) if run.parent else None

    if args.dataset_name:
        if args.data_file_path == "none":
            dataset = Dataset.get_by_name(run.experiment.workspace, args.dataset_name, args.dataset_version)
        else:
            dataset = register_dataset(run.experiment.workspace, args.dataset_name, os.environ.get("DATASTORE_NAME"), args.data_file_path)
    else:
        raise Exception("No dataset provided")

    # Link dataset to the step run so it is trackable in the UI
    run.input_datasets["training_data"] = dataset
    df = dataset.to_pandas_dataframe()
    X = df.drop("default", axis=1).values
    y = df["default"].values
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=train_args["test_size"], random_state=0)
    model = LogisticRegression(C=train_args["C"], solver="liblinear").fit(X_train, y_train)
    metrics = {"accuracy": model.score(X_test, y_test)}
    for (k, v) in metrics.items():
        run.log(k, v)

    # upload the model file explicitly into artifacts for parent run
    os.makedirs("outputs", exist_ok=True)
    output_path = os.path.join("outputs", args.model_name + ".pkl")
    joblib.dump(value=model, filename=output_path)
    run.tag("run_type", value="train")
    print(f"tags now present for run: {run.tags}")
    run.complete()


if __name__ == "__main__":
    main()
