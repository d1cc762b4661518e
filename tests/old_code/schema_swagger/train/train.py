import os
import joblib
from azureml.core.run import Run
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True, as_frame=True)
tree = DecisionTreeClassifier(random_state=0).fit(X.iloc[:, 2:].values, y)
os.makedirs("outputs/iris", exist_ok=True)
joblib.dump(tree, "outputs/iris/tree.joblib")
Run.get_context().log("depth", tree.get_depth())
