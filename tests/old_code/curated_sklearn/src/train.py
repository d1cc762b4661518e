import joblib, os
import pandas as pd, numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from azureml.core import Run
run = Run.get_context()
df = pd.read_csv("diabetes.csv")
X, y = df.iloc[:, 1:-1], df.iloc[:, -1]
scores = cross_val_score(RandomForestClassifier(10, random_state=0), X, y, cv=3)
run.log("score", np.mean(scores)); run.log_list("scores", list(scores))
os.makedirs("outputs", exist_ok=True)
joblib.dump(RandomForestClassifier(10).fit(X, y), "outputs/rf.joblib")
