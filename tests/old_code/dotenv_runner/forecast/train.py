import argparse
import os

import joblib
import numpy as np
from azureml.core import Run

from features import lags

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--horizon", type=int, required=True)
parser.add_argument("--season", type=int, default=0)
parser.add_argument("--log-scale", dest="log_scale", action="store_true")
args = parser.parse_args()

run = Run.get_context()
run.log("horizon", np.int64(args.horizon))
run.log("log_scale", args.log_scale)
series = np.genfromtxt(args.data, delimiter=",", skip_header=1, dtype=np.float)[:, 1]
if args.log_scale:
    series = np.log(series)
X, y = lags(series, args.season or 3)
coef, *_ = np.linalg.lstsq(X, y, rcond=None)
pred = X @ coef
mape = np.mean(np.abs((y - pred) / y))
run.log("mape", mape)
for step, (a, b) in enumerate(zip(y[-args.horizon:], pred[-args.horizon:])):
    run.log_row("forecast", step=step, actual=a, predicted=b)
os.makedirs("outputs", exist_ok=True)
joblib.dump(coef, os.path.join("outputs", "model.joblib"))
print("environment", os.environ["FORECAST_ENV"])
run.complete()
