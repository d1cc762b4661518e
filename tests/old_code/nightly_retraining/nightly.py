#!/usr/bin/env python3
"""0 2 * * * cd /srv/retrain && ./nightly.py --once >> nightly.log 2>&1"""
import argparse
import itertools
import json
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from azureml.core import Environment, Experiment, Model, Run, ScriptRunConfig, Workspace
from azureml.core.authentication import MsiAuthentication, ServicePrincipalAuthentication

logging.getLogger("azureml").setLevel(logging.ERROR)
log = logging.getLogger("nightly")
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
REGIONS = ["north", "south"]
GRID = {"depth": [2, 3], "rate": [0.1]}
WAIT = 0.2


def auth():
    return MsiAuthentication() if os.environ.get("MSI_ENDPOINT") else None


def combos(grid):
    keys = sorted(grid)
    for values in itertools.product(*(grid[k] for k in keys)):
        yield dict(zip(keys, values))


def submit(ws, env, region, params):
    args = ["--region", region]
    for k, v in params.items():
        args += [f"--{k}", v]
    cfg = ScriptRunConfig(source_directory="job", script="train.py", arguments=args, environment=env)
    run = Experiment(ws, f"nightly-{region}").submit(cfg, tags={"region": region, "date": f"{datetime.now():%Y-%m-%d}", **{k: str(v) for k, v in params.items()}})
    log.info("submitted %s %s", region, json.dumps(params))
    return run


def wait_all(runs):
    pending = list(runs)
    while pending:
        pending = [r for r in pending if r.get_status() not in ("Completed", "Failed", "Canceled")]
        if pending:
            time.sleep(WAIT)
    return [r for r in runs if r.get_status() == "Completed"]


def once(ws):
    env = Environment("nightly"); env.python.user_managed_dependencies = True
    with ThreadPoolExecutor(2) as pool:
        futures = {region: [pool.submit(submit, ws, env, region, p) for p in combos(GRID)] for region in REGIONS}
    for region, fs in futures.items():
        done = wait_all([f.result() for f in fs])
        if not done:
            log.error("%s: all runs failed", region)
            continue
        best = min(done, key=lambda r: r.get_metrics()["rmse"])
        current = Model.list(ws, name=f"demand-{region}", latest=True)
        old = float(current[0].tags["rmse"]) if current else float("inf")
        new = best.get_metrics()["rmse"]
        if new < old:
            m = best.register_model(f"demand-{region}", model_path="outputs/model.json", tags={"rmse": str(new), "depth": best.tags["depth"]})
            log.info("%s: version %d, rmse %.2f", region, m.version, new)
        else:
            log.info("%s: kept, %.2f >= %.2f", region, new, old)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--once", action="store_true")
    p.add_argument("--every", type=float, default=24, help="hours")
    a = p.parse_args()
    ws = Workspace.from_config(auth=auth())
    while True:
        start = datetime.now()
        try:
            once(ws)
        except KeyboardInterrupt:
            raise
        except Exception:
            log.exception("failed")
        if a.once:
            break
        time.sleep(max(0, (start + timedelta(hours=a.every) - datetime.now()).total_seconds()))


if __name__ == "__main__":
    main()
