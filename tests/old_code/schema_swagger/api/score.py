import os

import joblib
import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

input_sample = pd.DataFrame({"length": [1.4], "width": [0.2]})
output_sample = np.array([0])


def init():
    global model
    # a folder was registered
    model = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "iris", "tree.joblib"))


@input_schema("data", PandasParameterType(input_sample))
@input_schema("shift", StandardPythonParameterType(0.5))
@output_schema(NumpyParameterType(output_sample))
def run(data, shift):
    return model.predict((data + shift).values).tolist()
