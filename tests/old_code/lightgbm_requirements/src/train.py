import argparse
import lightgbm as lgb
import pandas as pd
from azureml.core import Run
from sklearn.model_selection import train_test_split
from sklearn.metrics import accuracy_score, log_loss

def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--boosting", default="gbdt", choices=["gbdt", "dart"])
    parser.add_argument("--num-boost-round", type=int, default=5)
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()

args = parse_args()
run = Run.get_context()
df = pd.read_csv("diabetes.csv")
X, y = df.drop(["PatientID", "Diabetic"], axis=1), df["Diabetic"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=.25, random_state=3)
params = dict(objective="binary", boosting=args.boosting, num_leaves=4, min_data_in_leaf=5, verbosity=-1, num_threads=1)
booster = lgb.train(params, lgb.Dataset(X_train, y_train), num_boost_round=args.num_boost_round)
p = booster.predict(X_test)
run.log("log_loss", log_loss(y_test, p)); run.log("accuracy", accuracy_score(y_test, p > .5))
import os; os.makedirs("outputs", exist_ok=True)
booster.save_model("outputs/model.txt")
