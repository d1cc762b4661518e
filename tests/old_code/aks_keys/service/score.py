import json
import logging

from azureml.core.model import Model


def init():
    global model
    # the registered name, not the file's
    path = Model.get_model_path('price-model')
    logging.info('model from %s', path)
    with open(path) as handle:
        model = json.load(handle)
    print('Model ready')


def run(raw_data):
    rows = json.loads(raw_data)['data']
    try:
        result = [model['intercept'] + sum(a * b for a, b in zip(model['coefficients'], row)) for row in rows]
        return {'result': result}
    except Exception as e:
        return {'error': str(e)}
