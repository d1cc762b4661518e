import json
import os
import pickle
import numpy as np


def init():
    global model
    model_path = os.path.join(os.getenv('AZUREML_MODEL_DIR'), 'mean.pkl')
    with open(model_path, 'rb') as f:
        model = pickle.load(f)


def run(data):
    try:
        data = np.array(json.loads(data)['data'])
        result = data - model['mean']
        # you can return any datatype as long as it is JSON-serializable
        return result.tolist()
    except Exception as e:
        error = str(e)
        return error
