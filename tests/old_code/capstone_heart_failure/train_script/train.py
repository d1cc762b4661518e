import argparse, os
import joblib
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from azureml.core.run import Run
from azureml.core import Workspace, Dataset

run = Run.get_context(allow_offline=False)
ws = run.experiment.workspace

parser = argparse.ArgumentParser()
parser.add_argument('--n_estimators', type=int, default=100)
parser.add_argument('--max_depth', type=int, default=None)
parser.add_argument('--min_samples_split', type=float, default=2)
args = parser.parse_args()

run.log("num_estimators:", int(args.n_estimators))
dataset = Dataset.get_by_name(ws, name='heart-failure')
df = dataset.to_pandas_dataframe()
x, y = df.drop(columns=['DEATH_EVENT']), df['DEATH_EVENT']
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=1)
model = RandomForestClassifier(n_estimators=args.n_estimators, max_depth=args.max_depth, random_state=0).fit(x_train, y_train)
accuracy = model.score(x_test, y_test)
run.log("Accuracy", accuracy)
cm = confusion_matrix(y_test, model.predict(x_test))
run.log_confusion_matrix('confusion', {"schema_type": "confusion_matrix", "schema_version": "1.0.0",
    "data": {"class_labels": ["0", "1"], "matrix": [[int(n) for n in row] for row in cm]}})
os.makedirs('outputs', exist_ok=True)
joblib.dump(model, 'outputs/model.pkl')
