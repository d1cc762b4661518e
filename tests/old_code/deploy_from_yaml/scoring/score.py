import glob, json, logging, math, os

from azureml.core.model import Model

logger = logging.getLogger("score")


def init():
    global model, threshold
    folder = os.getenv("AZUREML_MODEL_DIR", "models")
    (path,) = glob.glob(os.path.join(folder, "*.json"))
    model = json.load(open(path))
    threshold = float(os.environ["THRESHOLD"])


def run(request_body):
    records = json.loads(request_body)
    if isinstance(records, dict):
        records = [records]
    answer = []
    for record in records:
        z = model["bias"] + sum(weight * record.get(name, 0) for name, weight in model["weights"].items())
        p = 1 / (1 + math.exp(-z))
        answer.append({"churn": p > threshold, "probability": round(p, 3)})
    return answer
