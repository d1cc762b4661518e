import os
import joblib
from azureml.core import Run
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

run = Run.get_context()
X, y = load_diabetes(return_X_y=True)
model = Ridge(alpha=0.03).fit(X, y)
run.log("r2", model.score(X, y))
os.makedirs("outputs", exist_ok=True)
joblib.dump(model, "outputs/sklearn_regression_model.pkl")
