import json
import numpy
from azureml.core.model import Model
import pickle


def init():
    # load the model from file into a global object
    global model

    # we assume that we have just one model
    # AZUREML_MODEL_DIR is an environment variable created during deployment.
    # It is the path to the model folder
    model_path = Model.get_model_path(model_name="diabetes_regression_model.pkl")
    with open(model_path, "rb") as handle:
        model = pickle.load(handle)


def run(raw_data, request_headers=None):
    data = numpy.array(json.loads(raw_data)["data"])
    result = data @ numpy.array(model["coef"]) + model["intercept"]
    print("result: ", result)
    return {"result": result.tolist()}
