import os
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split


# Split the dataframe into test and train data
def split_data(df, test_size):
    X = df[["BMI", "Age", "DiastolicBloodPressure"]].values
    y = df["PlasmaGlucose"].values
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=test_size, random_state=0)
    return {"train": {"X": X_train, "y": y_train}, "test": {"X": X_test, "y": y_test}}


def train_model(data, ridge_args):
    reg_model = Ridge(**ridge_args)
    reg_model.fit(data["train"]["X"], data["train"]["y"])
    return reg_model


def get_model_metrics(model, data):
    preds = model.predict(data["test"]["X"])
    return {"mse": mean_squared_error(preds, data["test"]["y"])}
