"""python submit.py --config conf/train.yml [--tag k=v ...]"""
import argparse
import logging
from amlhelpers import AzureMLConnection, TrainingJob, load_settings

logging.basicConfig(level=logging.INFO)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--tag", action="append", default=[])
    args = parser.parse_args()
    settings = load_settings(args.config)
    conn = AzureMLConnection(settings)
    data = conn.upload("data", "toy")
    t = settings.training
    job = TrainingJob(conn, "helpers", "src", "train.py")
    job.submit(["--epochs", t.epochs, "--lr", t.lr, "--layers", *t.layers, "--data", data.as_named_input("toy").as_mount()],
               tags=dict(tag.split("=") for tag in args.tag))
    print(sorted(job.metrics()))
    job.fetch("outputs/model", "fetched")
    model = job.run.register_model("team-model", "outputs/model", datasets=[("training", data)])
    print(model.name, model.version, model.tags)
