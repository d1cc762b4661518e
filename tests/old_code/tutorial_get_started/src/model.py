import numpy as np


class Net:
    def __init__(self, seed=0):
        self.w = np.random.RandomState(seed).rand(3)

    def __call__(self, x):
        return x @ self.w
