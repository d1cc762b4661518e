import json
import os
import sys

sys.path.append('./source_dir')
from azureml.core.model import Model


def init():
    global first, second, words, labels
    model_dir = os.environ['AZUREML_MODEL_DIR']
    with open(os.path.join(model_dir, 'first-model', '1', 'first.json')) as f:
        first = json.load(f)['w']
    # the newest of two versions, by its name alone
    with open(Model.get_model_path('second-model')) as f:
        second = json.load(f)['w']
    words_file = os.path.join(Model.get_model_path(model_name='vocabulary', version=1), 'words.txt')
    words = open(words_file).read().split()
    labels = json.load(open(os.path.join(os.path.dirname(__file__), '..', '..', 'labels.json')))


def run(data):
    values = json.loads(data)['data']
    return json.dumps({'first': [value * first for value in values],
                       'second': [value * second for value in values],
                       'words': words, 'labels': labels})
