import argparse, logging, os, pickle
import numpy as np
from azureml.core import Run, Dataset, Workspace
from azureml.core.run import _OfflineRun
from churn.features import select
logging.basicConfig(level=logging.INFO)
p = argparse.ArgumentParser()
p.add_argument('--dataset'); p.add_argument('--C', type=float); p.add_argument('--columns', nargs='+')
a = p.parse_args()
run = Run.get_context(allow_offline=True)
ws = Workspace.from_config() if isinstance(run, _OfflineRun) else run.experiment.workspace
frame = Dataset.get_by_name(ws, a.dataset).to_pandas_dataframe()
x = np.asarray(select(frame, a.columns), dtype=np.float) / a.C
coef = np.linalg.lstsq(x, frame['churned'], rcond=None)[0]
run.log('auc', float(np.mean((x.dot(coef) > .5) == frame['churned'])))
run.log('stage', os.environ['CHURN_STAGE'])
run.parent and run.parent.log('child', 1)
os.makedirs('outputs', exist_ok=True)
pickle.dump({'coef': coef.tolist(), 'columns': a.columns}, open('outputs/churn.pkl', 'wb'))
