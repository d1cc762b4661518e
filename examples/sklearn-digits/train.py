"""Trains a classifier of handwritten digits on scikit-learn's bundled images."""

import argparse
import os

import joblib
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from scriptrun import Run

parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float, default=0.5, help="strength of the regularisation")
parser.add_argument("--epochs", type=int, default=20)
arguments = parser.parse_args()

run = Run.get_context()
run.log("alpha", arguments.alpha)
print(os.environ.get("MESSAGE", "Hello"), "- training with alpha", arguments.alpha, flush=True)

images, digits = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(images / 16, digits, random_state=0)
model = MLPClassifier((64,), alpha=arguments.alpha, batch_size=32, random_state=0)
for epoch in range(1, arguments.epochs + 1):
    model.partial_fit(x_train, y_train, classes=range(10))
    accuracy = model.score(x_test, y_test)
    run.log("loss", model.loss_)
    run.log("accuracy", accuracy)
    print(f"epoch {epoch:2}  loss {model.loss_:.3f}  accuracy {accuracy:.3f}", flush=True)

matrix = confusion_matrix(y_test, model.predict(x_test))
run.log_confusion_matrix(
    "digits",
    {
        "schema_type": "confusion_matrix",
        "schema_version": "v1",
        "data": {"class_labels": [str(n) for n in range(10)], "matrix": matrix.tolist()},
    },
)
os.makedirs("outputs", exist_ok=True)
joblib.dump(model, "outputs/model.pkl")
