import argparse
import os
import joblib
import numpy as np
import pandas as pd
from azureml.core import Dataset, Run, Model
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.metrics import roc_auc_score, confusion_matrix

def clean(df):
    df = df.copy()
    df['Sex'] = (df['Sex'] == 'male').astype(np.int)
    df['Age'] = df['Age'].fillna(df['Age'].median())
    return df[['Pclass', 'Sex', 'Age', 'Fare']], df['Survived']

parser = argparse.ArgumentParser()
parser.add_argument('--input-data', type=str, dest='ds_id', help='training dataset')
parser.add_argument('--reg-rate', type=float, dest='reg', default=0.01)
args = parser.parse_args()
run = Run.get_context()
ws = run.experiment.workspace
by_input = run.input_datasets['training'].to_pandas_dataframe()
by_id = Dataset.get_by_id(ws, id=args.ds_id).to_pandas_dataframe()
by_name = Dataset.get_by_name(ws, 'titanic_ds', version=1).to_pandas_dataframe()
assert by_input.equals(by_id) and by_id.equals(by_name)
print(by_input.dtypes.astype(str).to_dict())
X, y = clean(by_input)
Xt, Xe, yt, ye = train_test_split(X, y, test_size=0.3, random_state=1)
model = LogisticRegression(C=1 / args.reg, solver='liblinear').fit(Xt, yt)
auc = roc_auc_score(ye, model.predict_proba(Xe)[:, 1])
run.log('AUC', np.float(auc))
run.log('rows', len(by_input))
cm = confusion_matrix(ye, model.predict(Xe))
run.log_confusion_matrix('cm', {'schema_type': 'confusion_matrix', 'schema_version': '1.0.0', 'data': {'class_labels': ['0', '1'], 'matrix': cm.tolist()}})
run.log_table('coef', dict(zip(X.columns, [[c] for c in model.coef_[0]])))
os.makedirs('outputs', exist_ok=True)
joblib.dump(model, 'outputs/titanic.pkl')
run.upload_file('titanic.pkl', 'outputs/titanic.pkl')
model = run.register_model(model_path='titanic.pkl', model_name='titanic', tags={'Training context': 'Tabular dataset'},
                           properties={'AUC': run.get_metrics()['AUC']}, model_framework=Model.Framework.SCIKITLEARN, model_framework_version='0.24.2',
                           datasets=[('training', run.input_datasets['training'])] if False else None)
run.complete()
