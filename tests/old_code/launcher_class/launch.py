import functools
import os
from concurrent.futures import ThreadPoolExecutor
from azureml.core import Workspace as WS, Experiment as Exp, ScriptRunConfig as SRC, Environment as Env, RunConfiguration
import azureml.train.hyperdrive as hyperdrive
from azureml.train.estimator import Estimator
from azureml.train.dnn import PyTorch

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"generic": Estimator, "torch": PyTorch}


class Launcher(object):
    DEFAULTS = dict(source_directory=HERE, script="train.py")

    def __init__(self, ws, name, **overrides):
        self.ws, self.experiment = ws, Exp(ws, name)
        self.settings = {**self.DEFAULTS, **overrides}
        self.runs = []

    def config(self, **kwargs):
        settings = dict(self.settings); settings.update(kwargs)
        return SRC(**settings)

    def launch(self, *arguments, **tags):
        run = self.experiment.submit(self.config(arguments=list(arguments)), tags=tags)
        self.runs.append(run)
        return run

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for r in self.runs:
            r.wait_for_completion(raise_on_error=True)


def environment():
    env = Env(name="v")
    env.python.user_managed_dependencies = True
    return env


make = functools.partial(SRC, source_directory=HERE, script="train.py", environment=environment())

if __name__ == "__main__":
    ws = WS.from_config(path=os.path.join(HERE, "config.json"))
    with Launcher(ws, "launcher", environment=environment()) as l:
        l.launch("--n", 1, first="yes")
        l.launch("--n", 2, "--flag")
    exp = Exp(ws, "mapped")
    configs = [make(arguments=["--n", n]) for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda c: exp.submit(c), configs))
    [r.wait_for_completion() for r in runs]
    rc = RunConfiguration(); rc.environment = environment(); rc.target = "local"
    est = KINDS["generic"](HERE, entry_script="train.py", script_params={"--n": 5, "--flag": ""}, compute_target="local", user_managed=True)
    Exp(ws, "estimator").submit(est).wait_for_completion()
    ps = hyperdrive.GridParameterSampling({"n": hyperdrive.choice(*range(3))})
    hd = hyperdrive.HyperDriveConfig(run_config=make(arguments=["--flag"]), hyperparameter_sampling=ps, primary_metric_name="n",
                                     primary_metric_goal=hyperdrive.PrimaryMetricGoal.MAXIMIZE, max_total_runs=3, policy=None)
    run = Exp(ws, "hd").submit(hd); run.wait_for_completion(show_output=False)
    print(run.get_best_run_by_primary_metric().get_metrics(), run.get_status())
    print([sorted(r.get_metrics().items()) for e in ("launcher", "mapped", "estimator") for r in sorted(Exp(ws, e).get_runs(), key=lambda r: r.get_metrics()["n"])])
