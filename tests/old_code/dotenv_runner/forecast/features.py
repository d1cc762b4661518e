import numpy as np


def lags(series, n):
    X = np.column_stack([series[i:len(series) - n + i] for i in range(n)])
    return X, series[n:]
