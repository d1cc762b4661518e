"""Programs of the SDK v1 in the shapes that public ones have, each a folder of files.

``OWN`` stands for an environment that builds nothing: the interpreter that submits.
"""

from __future__ import annotations

import json
import textwrap

OWN = (
    "from azureml.core import Environment\n"
    "own = Environment('own')\n"
    "own.python.user_managed_dependencies = True\n"
)


def notebook(*cells: str) -> str:
    """The text of a notebook that has these code cells."""
    made = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": textwrap.dedent(cell).strip("\n").splitlines(keepends=True),
        }
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}, indent=1)


def files(**texts: str) -> dict[str, str]:
    """Files by path: ``__`` in a name is a slash, ``_`` before the suffix a point."""
    named = {}
    for name, text in texts.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        named[f"{stem}.{suffix}"] = (
            text if suffix == "ipynb" else textwrap.dedent(text).lstrip("\n")
        )
    return named


DIABETES = files(
    diabetes_ipynb=notebook(
        "import os\nfrom azureml.core import Workspace, Experiment\nws = Workspace.from_config()\n"
        "experiment = Experiment(workspace=ws, name='diabetes')",
        "from azureml.core.compute import AmlCompute, ComputeTarget\n"
        "from azureml.core.compute_target import ComputeTargetException\n"
        "try:\n    cluster = ComputeTarget(workspace=ws, name='cpu-cluster')\n"
        "except ComputeTargetException:\n"
        "    settings = AmlCompute.provisioning_configuration(vm_size='STANDARD_D2_V2', max_nodes=4)\n"
        "    cluster = ComputeTarget.create(ws, 'cpu-cluster', settings)\n"
        "    cluster.wait_for_completion(show_output=True)",
        "folder = 'diabetes'\nos.makedirs(folder, exist_ok=True)",
        "%%writefile diabetes/train.py\nimport argparse, os\nimport numpy as np\n"
        "from azureml.core import Run\n\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--alpha', type=float)\n"
        "args = parser.parse_args()\nrun = Run.get_context()\n"
        "x = np.arange(5).astype(np.float)\nrun.log('mse', float((x * args.alpha).sum()))\n"
        "os.makedirs('outputs', exist_ok=True)\n"
        "open('outputs/model.txt', 'w').write(str(args.alpha))",
        "from azureml.train.estimator import Estimator\n"
        "est = Estimator(source_directory=folder, entry_script='train.py',\n"
        "                script_params={'--alpha': 0.5}, compute_target=cluster,\n"
        "                user_managed=True)\n"
        "run = experiment.submit(est, tags={'model': 'ridge'})\n"
        "run.wait_for_completion(show_output=True)",
        "print(run.get_metrics())\nprint(run.get_file_names())\n"
        "model = run.register_model(model_name='ridge', model_path='outputs/model.txt')",
    )
)
OLD_PINS = files(
    submit_py="""
        from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace

        ws = Workspace.from_config()
        env = Environment.from_conda_specification(name='old', file_path='env.yml')
        src = ScriptRunConfig(source_directory='src', script='train.py', environment=env)
        run = Experiment(ws, 'old-pins').submit(src)
        run.wait_for_completion()
        """,
    env_yml="""
        name: old
        dependencies:
        - pip:
          - red==1.5
          - green==1.0
        """,
    src__train_py="""
        import collections, os
        import green, red
        from azureml.core import Run
        run = Run.get_context()
        run.log('red', red.VERSION)
        run.log('mapping', isinstance({}, collections.Mapping))
        os.makedirs('outputs', exist_ok=True)
        with open('outputs/versions.txt', 'w') as out:
            out.write(red.VERSION + green.VERSION)
        """,
)
DOCKER = files(
    submit_py="""
        from azureml.core import Experiment, ScriptRunConfig, Workspace
        from azureml.core.conda_dependencies import CondaDependencies
        from azureml.core.runconfig import DEFAULT_CPU_IMAGE, RunConfiguration

        ws = Workspace.from_config()
        config = RunConfiguration()
        config.target = "cpu-cluster"
        config.environment.docker.enabled = True
        config.environment.docker.base_image = DEFAULT_CPU_IMAGE
        config.environment.python.conda_dependencies = CondaDependencies.create(
            pip_packages=["red==1.5"])
        src = ScriptRunConfig(source_directory="src", script="train.py", run_config=config)
        run = Experiment(workspace=ws, name="docker").submit(config=src)
        run.wait_for_completion(show_output=True)
        """,
    src__train_py="""
        import red
        from azureml.core.run import Run
        Run.get_context().log('version', red.VERSION)
        """,
)
PARAMETER_SERVERS = files(
    submit_py="""
        from azureml.core import Experiment, Workspace
        from azureml.train.dnn import ParameterServer, TensorFlow

        ws = Workspace.from_config()
        servers = ParameterServer(worker_count=2)
        servers.parameter_server_count = 1
        est = TensorFlow(source_directory='src', compute_target='local', entry_script='train.py',
                         script_params={'--steps': 3}, distributed_training=servers,
                         user_managed=True)
        run = Experiment(ws, 'tf').submit(est)
        run.wait_for_completion(show_output=False, raise_on_error=False)
        """,
    src__train_py="""
        import json, os, sys
        from azureml.core import Run
        task = json.loads(os.environ['TF_CONFIG'])
        counts = {name: len(hosts) for name, hosts in task['cluster'].items()}
        if task['task']['type'] != 'ps':
            Run.get_context().log(task['task']['type'], json.dumps(counts, sort_keys=True))
            Run.get_context().log('steps', sys.argv[1:])
        """,
)
GLOO = files(
    submit_py="""
        from azureml.core import Experiment, Workspace
        from azureml.train.dnn import Gloo, PyTorch

        exp = Experiment(Workspace.from_config(), 'torch')
        est = PyTorch('src', compute_target='gpu', entry_script='train.py',
                      distributed_training=Gloo(), user_managed=True, use_gpu=False)
        print(exp.submit(est).wait_for_completion()['status'])
        """,
    src__train_py="""
        import os
        from azureml.core import Run
        names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')
        Run.get_context().log('ranks', ' '.join(os.environ.get(name, '-') for name in names))
        """,
)
SWEEP = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from azureml.core import Experiment, ScriptRunConfig, Workspace
        from azureml.train.hyperdrive import (GridParameterSampling, HyperDriveConfig,
                                              PrimaryMetricGoal, choice)

        ws = Workspace.from_config()
        src = ScriptRunConfig('src', script='train.py', environment=own, compute_target='local')
        sampling = GridParameterSampling({'--lr': choice(0.1, 0.5)})
        config = HyperDriveConfig(run_config=src, hyperparameter_sampling=sampling,
                                  primary_metric_name='acc',
                                  primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
                                  max_total_runs=2, max_concurrent_runs=2)
        sweep = Experiment(ws, 'sweep').submit(config)
        sweep.wait_for_completion()
        best = sweep.get_best_run_by_primary_metric()
        print(best.get_metrics(), sweep.get_metrics())
        """
    ),
    src__train_py="""
        import argparse, time
        from azureml.core import Run
        parser = argparse.ArgumentParser()
        parser.add_argument('--lr', type=float)
        rate = parser.parse_args().lr
        time.clock()
        for step in range(2):
            Run.get_context().log('acc', rate * step)
        """,
)
DATASETS = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from azureml.core import Dataset, Experiment, ScriptRunConfig, Workspace

        ws = Workspace.from_config()
        store = ws.get_default_datastore()
        store.upload_files(['data/a.csv', 'data/b.csv'], target_path='digits', overwrite=True)
        dataset = Dataset.File.from_files((store, 'digits/*.csv'))
        dataset = dataset.register(ws, 'digits', create_new_version=True)
        src = ScriptRunConfig('src', 'train.py',
                              arguments=['--mounted', dataset.as_named_input('digits').as_mount(),
                                         '--fetched', dataset.as_named_input('again').as_download(),
                                         '--reference', store.path('digits').as_download()],
                              environment=own)
        run = Experiment(ws, 'data').submit(src)
        run.wait_for_completion()
        """
    ),
    data__a_csv="1,2\n",
    data__b_csv="3,4\n",
    src__train_py="""
        import os, sys
        from azureml.core import Run
        run = Run.get_context()
        for name, folder in zip(sys.argv[1::2], sys.argv[2::2]):
            found = sorted(file for _, _, files in os.walk(folder) for file in files)
            run.log(name.strip('-'), ' '.join(found))
        run.log('inputs', [name for name in ('again', 'digits') if run.input_datasets[name]])
        """,
)
LOGGED = files(
    train_py="""
        import os
        from azureml.core import Experiment, Workspace

        ws = Workspace.from_config()
        experiment = Experiment(workspace=ws, name="logged")
        run = experiment.start_logging(snapshot_directory=None)
        run.tag('kind', 'interactive')
        for alpha in (0.1, 0.2):
            run.log('alpha', alpha)
            with open(os.path.join('outputs', 'ridge_%s.pkl' % alpha), 'w') as out:
                out.write(str(alpha))
        run.complete()
        with experiment.start_logging(outputs=None, snapshot_directory=None) as second:
            second.log('loss', 1)
        """
)
ARGUMENTS = {
    **files(
        submit_py="""
            import argparse
            from azureml.core import ScriptRunConfig
            from helpers.common import connect

            parser = argparse.ArgumentParser()
            parser.add_argument('--epochs', type=int, default=2)
            args = parser.parse_args()
            experiment, environment = connect('arguments')
            config = ScriptRunConfig(source_directory='src', script='train.py',
                                     arguments=['--epochs', args.epochs],
                                     environment=environment)
            run = experiment.submit(config, tags={'epochs': str(args.epochs)})
            run.wait_for_completion()
            """,
        helpers__common_py="""
            from azureml.core import Environment, Experiment, Workspace


            def connect(name):
                workspace = Workspace.from_config()
                env = Environment(name)
                env.python.user_managed_dependencies = True
                env.environment_variables['LEVEL'] = 'high'
                return Experiment(workspace, name), env
            """,
        src__train_py="""
            import os, sys
            from azureml.core import Run
            run = Run.get_context()
            run.log('words', ' '.join(sys.argv[1:]))
            run.log('level', os.environ['LEVEL'])
            """,
    ),
    "helpers/__init__.py": "",
}
CHILDREN = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from azureml.core import Experiment, ScriptRunConfig, Workspace

        experiment = Experiment(Workspace.from_config(), 'children')
        src = ScriptRunConfig('src', 'train.py', environment=own)
        with experiment.start_logging(snapshot_directory=None) as run:
            run.log('children', 1)
            child = run.submit_child(src, tags={'number': '1'})
            child.wait_for_completion()
        parent = experiment.submit(ScriptRunConfig('src', 'train.py', environment=own))
        parent.wait_for_completion()
        """
    ),
    src__train_py="""
        import inspect
        from azureml.core import Run
        Run.get_context().log('names', hasattr(inspect, 'getargspec'))
        """,
)
CONVERTED = files(
    digits_py="""
        # coding: utf-8
        # In[1]:
        get_ipython().run_line_magic('matplotlib', 'inline')
        from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
        ws = Workspace.from_config()
        # In[2]:
        env = Environment('own')
        env.python.user_managed_dependencies = True
        run = Experiment(ws, 'digits').submit(ScriptRunConfig('src', 'train.py', environment=env))
        run.wait_for_completion()
        """,
    src__train_py="print('trained')\n",
)
NAMES_GONE = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        import collections
        from azureml.core import Experiment, ScriptRunConfig, Workspace

        settings = {'--epochs': 3}
        assert isinstance(settings, collections.Mapping)
        src = ScriptRunConfig('src', 'train.py', [w for kv in settings.items() for w in kv],
                              environment=own)
        Experiment(Workspace.from_config(), 'gone').submit(src).wait_for_completion()
        """
    ),
    src__train_py="print('trained')\n",
)
PASSED_ON = {
    **files(
        submit_py="""
            from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
            from launching import launch

            env = Environment('red')
            env.python.conda_dependencies.add_pip_package('red==1.5')
            src = ScriptRunConfig('src', 'train.py', environment=env)
            launch(Experiment(Workspace.from_config(), 'passed'), src)
            """,
        src__train_py="print('trained')\n",
    ),
    "launching.py": (
        "def launch(experiment, config):\n"
        "    run = experiment.submit(config)\n"
        "    run.wait_for_completion(raise_on_error=False)\n"
    ),
}
OLD_DATASET = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from azureml.core import Dataset, Experiment, ScriptRunConfig, Workspace

        ws = Workspace.from_config()
        store = ws.get_default_datastore()
        store.upload_files(['data/a.csv'])
        Dataset.File.from_files((store, 'a.csv')).register(ws, 'a')
        dataset = Dataset.get(ws, name='a')
        src = ScriptRunConfig('src', 'train.py', [dataset.as_mount()], environment=own)
        Experiment(ws, 'old-dataset').submit(src).wait_for_completion()
        """
    ),
    data__a_csv="1,2\n",
    src__train_py="import os, sys\nprint(os.path.exists(sys.argv[1]))\n",
)
MLFLOW = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        import os, urllib.parse
        from azureml.core import Experiment, ScriptRunConfig, Workspace

        ws = Workspace.from_config()
        store = urllib.parse.urlparse(ws.get_mlflow_tracking_uri()).path
        run = os.path.join(store, '7', 'a1')  # what mlflow writes
        os.makedirs(os.path.join(run, 'metrics'))
        os.makedirs(os.path.join(run, 'tags'))
        os.makedirs(os.path.join(run, 'artifacts'))
        with open(os.path.join(store, '7', 'meta.yaml'), 'w') as out:
            out.write('name: tracked\\n')
        with open(os.path.join(run, 'meta.yaml'), 'w') as out:
            out.write('run_name: first\\nstatus: 3\\nstart_time: 1\\n')
        with open(os.path.join(run, 'metrics', 'loss'), 'w') as out:
            out.write('1 0.5 0\\n')
        experiment = Experiment(ws, 'tracked')
        losses = [each.get_metrics() for each in experiment.get_runs()]
        src = ScriptRunConfig('src', 'train.py', [str(len(losses))], environment=own)
        experiment.submit(src).wait_for_completion()
        """
    ),
    src__train_py="import sys\nfrom azureml.core import Run\nRun.get_context().log('n', sys.argv[1])\n",
)
IN_THE_JOB = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from azureml.core import Experiment, ScriptRunConfig, Workspace

        ws = Workspace.from_config()
        src = ScriptRunConfig('src', 'train.py', environment=own, compute_target='local')
        run = Experiment(ws, 'in-the-job').submit(src)
        run.wait_for_completion(show_output=True)
        """
    ),
    src__train_py="""
        import os
        from azureml.core import Dataset, Experiment, Model, Run, ScriptRunConfig
        run = Run.get_context()
        ws = run.experiment.workspace
        run.log('experiment', run.experiment.name)
        run.tag('stage', 'trained')
        os.makedirs('outputs/models', exist_ok=True)
        with open('outputs/models/m.txt', 'w') as out:
            out.write('weights')
        run.upload_file('outputs/models/m.txt', 'outputs/models/m.txt')
        model = run.register_model('m', 'outputs/models')
        run.log('version', Model(ws, 'm').version)
        run.log_list('losses', [3, 2, 1])
        run.log_row('row', a=1, b=2)
        with open('child.py', 'w') as out:
            out.write("print('child')")
        child = run.submit_child(ScriptRunConfig(source_directory='.', script='child.py'))
        child.wait_for_completion()
        """,
)
PACKAGES_IN_THE_JOB = {
    **IN_THE_JOB,
    "submit.py": IN_THE_JOB["submit.py"].replace(
        "own.python.user_managed_dependencies = True\n",
        "own.python.conda_dependencies.add_pip_package('green==1.0')\n",
    ),
}

A_CLASS = files(
    submit_py=OWN
    + textwrap.dedent(
        """
        from concurrent.futures import ThreadPoolExecutor
        from azureml.core import Experiment, ScriptRunConfig, Workspace

        class Trainer(object):
            def __init__(self, name):
                self.ws = Workspace.from_config()
                self.experiment = Experiment(self.ws, name)

            def train(self, epochs):
                config = ScriptRunConfig('src', 'train.py', ['--epochs', epochs], environment=own)
                run = self.experiment.submit(config)
                run.wait_for_completion()
                return run

        if __name__ == '__main__':
            trainer = Trainer('class')
            with ThreadPoolExecutor(2) as pool:
                runs = list(pool.map(lambda epochs: trainer.train(epochs), (1, 2)))
            runs[0].submit_child(ScriptRunConfig('src', 'train.py', environment=own)).wait_for_completion()
        """
    ),
    src__train_py="import sys\nfrom azureml.core import Run\nRun.get_context().log('n', len(sys.argv))\n",
)
DOTTED = {
    **files(
        submit_py="""
            import azureml.core
            from azureml.core import Workspace
            from azureml.core.runconfig import RunConfiguration
            import azureml.train.estimator as est

            print(azureml.core.VERSION)
            ws = Workspace.from_config()
            exp = azureml.core.Experiment(ws, 'dotted')
            first = exp.submit(est.Estimator('src', compute_target='cpu', entry_script='train.py',
                                             user_managed=True, script_params={'--a': 1}))
            first.wait_for_completion(show_output=True)
            rc = RunConfiguration.load('.', 'local')
            src = azureml.core.ScriptRunConfig(source_directory='src', script='train.py',
                                               run_config=rc)
            exp.submit(src).wait_for_completion(raise_on_error=False)
            """,
        src__train_py="import os\nprint(os.environ.get('A'))\n",
    ),
    ".azureml/local.runconfig": (
        "target: local\nenvironment:\n  name: own\n  environmentVariables: {A: '3.10'}\n"
        "  python: {userManagedDependencies: true}\n"
    ),
}
LOGGED_MORE = files(
    submit_py="""
        from azureml.core import Experiment, Workspace

        exp = Experiment(workspace=Workspace.from_config(), name='more')
        with exp.start_logging() as run:
            run.log_list('l', [1, 2])
            run.log_row('r', x=1, y=2)
            run.log_table('t', {'a': [1, 2]})
            with open('./outputs/a.txt', 'w') as out:
                out.write('1')
            run.upload_file('outputs/b.txt', './outputs/a.txt')
            child = run.child_run('c')
            child.log('c', 1)
            child.complete()
        """
)

TRAIN = """
    import argparse, os
    from azureml.core.run import Run

    parser = argparse.ArgumentParser()
    parser.add_argument('--lr', type=float, default=0.1)
    parser.add_argument('--epochs', type=int, default=2)
    parser.add_argument('--data-folder', dest='data', default='')
    parser.add_argument('--verbose', action='store_true')
    args, rest = parser.parse_known_args()
    run = Run.get_context()
    for epoch in range(args.epochs):
        run.log('loss', args.lr / (epoch + 1))
    run.tag('verbose', str(args.verbose))
    run.tag('data', ','.join(sorted(os.listdir(args.data))) if args.data else 'none')
    os.makedirs('outputs', exist_ok=True)
    with open('outputs/model.txt', 'w') as model:
        model.write(str(args.lr))
    """
LOGIN = files(
    submit_py="""
        import argparse
        from azureml.core import Experiment, Workspace
        from azureml.core.authentication import AzureCliAuthentication
        from azureml.core.compute import AmlCompute, ComputeTarget
        from azureml.core.compute_target import ComputeTargetException
        from azureml.telemetry import set_diagnostics_collection
        from azureml.train.estimator import Estimator

        set_diagnostics_collection(send_diagnostics=True)


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--cluster", default="gpu-cluster")
            parser.add_argument("--lr", type=float, default=None)
            args = parser.parse_args()
            auth = AzureCliAuthentication()
            ws = Workspace.from_config(auth=auth)
            try:
                target = ComputeTarget(workspace=ws, name=args.cluster)
            except ComputeTargetException:
                size = AmlCompute.provisioning_configuration(vm_size="STANDARD_NC6", max_nodes=2)
                target = ComputeTarget.create(ws, args.cluster, size)
                target.wait_for_completion(show_output=True)
            params = {"--lr": args.lr}
            params["--verbose"] = ""
            est = Estimator(source_directory="src", entry_script="train.py",
                            script_params=params, compute_target=target, user_managed=True)
            run = Experiment(ws, "login").submit(est)
            run.wait_for_completion()


        if __name__ == "__main__":
            main()
        """,
    src__train_py=TRAIN,
)
SPREAD = files(
    submit_py="""
        import sys
        from azureml.core import Experiment, Workspace
        from azureml.train.estimator import Estimator
        DEBUG = len(sys.argv) > 1
        extra = {"--verbose": ""} if DEBUG else {}
        ws = Workspace.from_config()
        est = Estimator(source_directory="src", entry_script="train.py", user_managed=True,
                        script_params={"--epochs": 1 if DEBUG else 3, **extra},
                        compute_target="local")
        run = Experiment(ws, f"spread-{'debug' if DEBUG else 'full'}").submit(est)
        run.wait_for_completion()
        """,
    src__train_py=TRAIN,
)
CONSUMPTION = files(
    submit_py="""
        from azureml.core import Dataset, Experiment, ScriptRunConfig, Workspace
        from azureml.core.runconfig import RunConfiguration
        from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
        ws = Workspace.from_config()
        store = ws.get_default_datastore()
        store.upload_files(["data/a.txt"], target_path="birds", overwrite=True)
        dataset = Dataset.File.from_files(path=(store, "birds"))
        config = RunConfiguration()
        config.target = "local"
        config.environment.python.user_managed_dependencies = True
        birds = DatasetConsumptionConfig("birds", dataset, mode="download")
        src = ScriptRunConfig(source_directory="src", script="train.py",
                              arguments=["--data-folder", birds], run_config=config)
        Experiment(ws, "consumption").submit(src).wait_for_completion()
        """,
    src__train_py=TRAIN,
    data__a_txt="a",
)
DOWNLOADS = files(
    submit_py="""
        from azureml.core import Experiment, Workspace
        from azureml.train.estimator import Estimator
        ws = Workspace.from_config()
        settings = dict(source_directory="src", entry_script="train.py", compute_target="local",
                        user_managed=True)
        run = Experiment(ws, "downloads").submit(Estimator(**settings))
        run.wait_for_completion()
        run.download_file("outputs/model.txt", "model.txt")
        rate = float(open("model.txt").read())
        second = Estimator(script_params={"--lr": rate * 2}, **settings)
        Experiment(ws, "downloads").submit(second).wait_for_completion()
        """,
    src__train_py=TRAIN,
)
ESTIMATORS_LEFT = files(
    submit_py="""
        from azureml.core import Experiment, Workspace
        from azureml.train.dnn import PyTorch
        from azureml.train.estimator import Estimator
        KINDS = {"torch": PyTorch, "plain": Estimator}


        def build(kind, **kwargs):
            return KINDS[kind](source_directory="src", entry_script="train.py", **kwargs)


        ws = Workspace.from_config()
        est = build("plain", compute_target="cpu", user_managed=True, script_params={"--lr": 0.9})
        Experiment(ws, "left").submit(est).wait_for_completion()
        """,
    src__train_py=TRAIN,
)

#: program: the file that submits, the words it gets, and what its proof says
PROGRAMS: dict[str, tuple[dict[str, str], str, tuple[str, ...], str]] = {
    "diabetes": (DIABETES, "diabetes.ipynb", (), "the same"),
    "old_pins": (OLD_PINS, "submit.py", (), "the same"),
    "docker": (DOCKER, "submit.py", (), "the same"),
    "parameter_servers": (PARAMETER_SERVERS, "submit.py", (), "the same"),
    "gloo": (GLOO, "submit.py", (), "the same"),
    "sweep": (SWEEP, "submit.py", (), "the same"),
    "datasets": (DATASETS, "submit.py", (), "the same"),
    "logged": (LOGGED, "train.py", (), "the same"),
    "arguments": (ARGUMENTS, "submit.py", ("--epochs", "3"), "the same"),
    "children": (CHILDREN, "submit.py", (), "the same"),
    "old_dataset": (OLD_DATASET, "submit.py", (), "the same"),
    "mlflow": (MLFLOW, "submit.py", (), "the same"),
    "in_the_job": (IN_THE_JOB, "submit.py", (), "the same"),
    "a_class": (A_CLASS, "submit.py", (), "the same"),
    "dotted": (DOTTED, "submit.py", (), "the same"),
    "logged_more": (LOGGED_MORE, "submit.py", (), "the same"),
    "packages_in_the_job": (PACKAGES_IN_THE_JOB, "submit.py", (), "the same"),
    "converted": (CONVERTED, "digits.py", (), "the same"),
    "login": (LOGIN, "submit.py", ("--lr", "0.5"), "the same"),
    "spread": (SPREAD, "submit.py", ("debug",), "the same"),
    "consumption": (CONSUMPTION, "submit.py", (), "the same"),
    "downloads": (DOWNLOADS, "submit.py", (), "the same as far as both run"),
    "estimators_left": (ESTIMATORS_LEFT, "submit.py", (), "the same"),
    "names_gone": (NAMES_GONE, "submit.py", (), "differs"),
    "passed_on": (PASSED_ON, "submit.py", (), "differs"),
}
