import argparse
import os
import joblib
import numpy as np
from azureml.core import Run
from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
parser.add_argument('--regularization', type=float, dest='reg', default=0.01)
args = parser.parse_args()
run = Run.get_context()
rng = np.random.RandomState(0)
X = rng.rand(200, 4)
y = (X.sum(axis=1) > 2).astype(int)
clf = LogisticRegression(C=1.0 / args.reg, random_state=42).fit(X, y)
run.log('accuracy', clf.score(X, y))
os.makedirs('outputs', exist_ok=True)
# note file saved in the outputs folder is automatically uploaded into experiment record
joblib.dump(value=clf, filename='outputs/digits_model.pkl')
