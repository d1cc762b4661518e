import os

import mlflow
import mlflow.sklearn
import numpy as np
from sklearn.linear_model import LogisticRegression
from azureml.core import Run

X = np.array([[0.0], [1.0], [2.0], [3.0]])
y = np.array([0, 0, 1, 1])

if os.environ.get("AUTOLOG"):
    mlflow.sklearn.autolog()
    LogisticRegression(C=0.5).fit(X, y)
    mlflow.log_metric("own", 3)
    Run.get_context().log("v1", 7)
else:
    mlflow.log_param("alpha", 0.1)
    mlflow.set_tag("kind", "demo")
    for step in range(3):
        mlflow.log_metric("loss", 4.0 / (step + 1), step=step)
    mlflow.log_metrics({"a": 1, "b": 2.5})
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"classes": 2}, "info.json")
    mlflow.sklearn.log_model(LogisticRegression().fit(X, y), "model")
print("mlflow", mlflow.__version__)
