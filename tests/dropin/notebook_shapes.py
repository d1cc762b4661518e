"""Notebooks of the shapes that public ones have, in our own words: cells, and what they print."""

from __future__ import annotations

WORKSPACE = """
import os
import azureml.core
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace

print("SDK version", azureml.core.VERSION)
ws = Workspace.from_config()
print(ws.name, ws.location, ws.resource_group, sep="\\t")
"""
OWN_PYTHON = """
import sys
env = Environment("own-python")
env.python.user_managed_dependencies = True
env.python.interpreter_path = sys.executable
"""
TRAIN = """
import argparse, os
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--regularization", type=float, dest="reg", default=0.01)
args = parser.parse_args()
run = Run.get_context()
for step in range(3):
    run.log("loss", round(args.reg / (step + 1), 3))
run.log("accuracy", 1 - args.reg)
os.makedirs("outputs", exist_ok=True)
with open("outputs/model.txt", "w") as handle:
    handle.write("weights")
print("trained with", args.reg)
"""

WRITTEN_SCRIPT = {
    "cells": [
        "# what the tutorial needs\n! pip install --upgrade azureml-sdk azureml-widgets",
        f"%matplotlib inline\n{WORKSPACE}",
        "experiment_name = 'digits'\nexp = Experiment(workspace=ws, name=experiment_name)",
        "from azureml.core.compute import AmlCompute, ComputeTarget\n"
        "from azureml.core.compute_target import ComputeTargetException\n"
        "cluster_name = os.environ.get('CLUSTER', 'cpu-cluster')\n"
        "try:\n    compute_target = ComputeTarget(workspace=ws, name=cluster_name)\n"
        "except ComputeTargetException:\n"
        "    config = AmlCompute.provisioning_configuration(vm_size='STANDARD_D2_V2', max_nodes=4)\n"
        "    compute_target = ComputeTarget.create(ws, cluster_name, config)\n"
        "    compute_target.wait_for_completion(show_output=False, timeout_in_minutes=20)",
        "script_folder = os.path.join(os.getcwd(), 'sklearn-digits')\n"
        "os.makedirs(script_folder, exist_ok=True)",
        f"%%writefile $script_folder/train.py\n{TRAIN}",
        OWN_PYTHON,
        "src = ScriptRunConfig(source_directory=script_folder, script='train.py',\n"
        "                      arguments=['--regularization', 0.5],\n"
        "                      compute_target=compute_target, environment=env)",
        "%%time\nrun = exp.submit(config=src)\nrun",
        "from azureml.widgets import RunDetails\nRunDetails(run).show()",
        "run.wait_for_completion(show_output=True)  # shows the log",
        "print(run.get_metrics())",
        "print([name for name in run.get_file_names() if name.startswith('outputs')])",
        "model = run.register_model(model_name='digits', model_path='outputs/model.txt')\n"
        "print(model.name, model.version, sep='\\t')",
        "# clean up\ncompute_target.delete()",
    ],
    "printed": [
        *("SDK version 1.", "old-ws\t", "Writing ", "trained with 0.5", "digits\t1"),
        "'loss': [0.5, 0.25, 0.167]",
        "['outputs/model.txt']",
    ],
    "said": ["skipped ! pip install --upgrade azureml-sdk azureml-widgets"],
}

LOGGED_HERE = {
    "cells": [
        WORKSPACE,
        "%%capture setup\nexperiment = Experiment(ws, 'train-in-notebook')\nprint('hidden')",
        "import numpy as np\ntry:\n    from tqdm import tqdm as progress\n"
        "except ImportError:\n    progress = list",
        "alphas = np.linspace(0.1, 0.3, 3)\n"
        "for alpha in progress(alphas):\n"
        "    run = experiment.start_logging(snapshot_directory=None)\n"
        "    run.log('alpha', alpha)\n"
        "    run.log('mse', (alpha - 0.2) ** 2)\n"
        "    name = 'model_alpha_{0:.2f}.txt'.format(alpha)\n"
        "    !echo {alpha} > {name}\n"
        "    run.upload_file(name=name, path_or_stream=name)\n"
        "    run.complete();",
        "runs = {}\nfor r in experiment.get_runs():\n    runs[r.get_metrics()['mse']] = r",
        "best = runs[min(runs)]\nbest.download_file(best.get_file_names()[0], 'best.txt')",
        "best_alpha = !cat best.txt\nprint('best', best_alpha[0][:3], len(runs))",
        "try:\n    import matplotlib.pyplot as plt\n    plt.plot(sorted(runs)); plt.show()\n"
        "except ImportError:\n    print('no plots')",
        "setup.show()",
    ],
    "printed": ["best 0.2 3", "hidden"],
    "said": [],
}

ESTIMATOR = {
    "cells": [
        "!pip install --upgrade azureml-sdk[notebooks,tensorboard]",
        f"%load_ext autoreload\n%autoreload 2\n{WORKSPACE}",
        "%load_ext sparkmagic\n%tensorboard --logdir logs",
        "from azureml.train.estimator import Estimator\nproject = './est'\n!mkdir -p $project",
        f"%%writefile {{project}}/train.py\n{TRAIN}",
        OWN_PYTHON,
        "est = Estimator(source_directory=project, compute_target='local',\n"
        "                entry_script='train.py', script_params={'--regularization': 0.25},\n"
        "                environment_definition=env)",
        "run = Experiment(ws, 'estimator').submit(est)\nrun.wait_for_completion(show_output=False);",
        "run.get_metrics()['accuracy']",
        "est?",
    ],
    "printed": ["0.75", "Estimator"],
    "said": ["cell 3: skipped %load_ext sparkmagic", "cell 3: skipped %tensorboard"],
}

SWEEP = {
    "cells": [
        WORKSPACE + OWN_PYTHON,
        "os.makedirs('sweep', exist_ok=True)",
        f"%%writefile sweep/train.py\n{TRAIN}",
        "from azureml.train.hyperdrive import BanditPolicy, GridParameterSampling\n"
        "from azureml.train.hyperdrive import HyperDriveConfig, PrimaryMetricGoal, choice\n"
        "space = GridParameterSampling({'--regularization': choice(0.1, 0.3)})\n"
        "policy = BanditPolicy(evaluation_interval=2, slack_factor=0.1)",
        "src = ScriptRunConfig('sweep', 'train.py', compute_target='local', environment=env)\n"
        "config = HyperDriveConfig(run_config=src, hyperparameter_sampling=space, policy=policy,\n"
        "                          primary_metric_name='accuracy',\n"
        "                          primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,\n"
        "                          max_total_runs=2, max_concurrent_runs=2)",
        "hyperdrive_run = Experiment(ws, 'sweep').submit(config)\n"
        "from azureml.widgets import RunDetails\nRunDetails(hyperdrive_run).show()",
        "hyperdrive_run.wait_for_completion(show_output=False);",
        "best_run = hyperdrive_run.get_best_run_by_primary_metric()\n"
        "best_run.get_details()['runDefinition']['arguments']",
        "print('best accuracy', best_run.get_metrics()['accuracy'])",
    ],
    "printed": ["'0.1'", "best accuracy 0.9"],
    "said": [],
}

DATASET = {
    "cells": [
        WORKSPACE + OWN_PYTHON,
        '%%bash\nmkdir -p data job\nfor i in 1 2 3; do echo "$i,$((i * i))" >> data/squares.csv; done',
        "!head -1 data/squares.csv; wc -l < data/squares.csv",
        "from azureml.core import Dataset\ndatastore = ws.get_default_datastore()\n"
        "datastore.upload(src_dir='data', target_path='squares', overwrite=True, show_progress=True);",
        "dataset = Dataset.File.from_files(path=[(datastore, 'squares')])\n"
        "dataset = dataset.register(workspace=ws, name='squares', create_new_version=True)",
        "%%writefile job/read.py\nimport glob, sys\nfrom azureml.core import Run\n"
        "lines = open(glob.glob(sys.argv[1] + '/*.csv')[0]).read().split()\n"
        "Run.get_context().log('rows', len(lines))\nprint('last', lines[-1])",
        "src = ScriptRunConfig('job', 'read.py', environment=env,\n"
        "                      arguments=[dataset.as_named_input('squares').as_download()])\n"
        "run = Experiment(ws, 'data').submit(src)\nrun.wait_for_completion(show_output=True)",
        "print('rows', run.get_metrics()['rows'])",
    ],
    "printed": ["1,1", "last 3,9", "rows 3"],
    "said": [],
}

CONDA_FILE = {
    "cells": [
        WORKSPACE,
        "%mkdir -p project",
        "%%writefile project/conda_dependencies.yml\nchannels:\n- conda-forge\ndependencies:\n"
        "- python=3.8\n- pip:\n  - azureml-defaults\n  - pandas",
        f"%%writefile project/train.py\n{TRAIN}",
        "env = Environment.from_conda_specification(name='sk', file_path='project/conda_dependencies.yml')\n"
        "env.docker.enabled = False\nprint(env.python.conda_dependencies.serialize_to_string())",
        "import sys\nenv.python.user_managed_dependencies = True\n"
        "env.python.interpreter_path = sys.executable",
        "%cd project\nhere = %pwd\nsrc = ScriptRunConfig(source_directory='.', script='train.py', environment=env)\n"
        "%cd ..",
        "run = Experiment(ws, 'conda').submit(ScriptRunConfig(here, 'train.py', environment=env))\n"
        "run.wait_for_completion(); print(run.get_status(), os.path.basename(here))",
        "!conda env list > /dev/null 2>&1 || echo no conda",
    ],
    "printed": ["- pandas", "Completed project"],
    "said": [],
}

DISTRIBUTED = {
    "cells": [
        "# install\n%pip install torch torchvision",
        WORKSPACE + OWN_PYTHON + "os.makedirs('ddp', exist_ok=True)",
        "%%writefile ddp/train.py\nimport os\nfrom azureml.core import Run\n"
        "rank, size = os.environ['RANK'], os.environ['WORLD_SIZE']\nprint('rank', rank, 'of', size)\n"
        "if rank == '0':\n    Run.get_context().log('size', int(size))",
        "from azureml.core.runconfig import PyTorchConfiguration\n"
        "launch = PyTorchConfiguration(process_count=2, node_count=1)\n"
        "src = ScriptRunConfig('ddp', 'train.py', compute_target='local', environment=env,\n"
        "                      distributed_job_config=launch)",
        "%time run = Experiment(ws, 'ddp').submit(src)",
        "run.wait_for_completion(); run.get_metrics()",
        "!ls {run.path}/user_logs 2>/dev/null | wc -l",
    ],
    "printed": ["{'size': 2}", "Wall time"],
    "said": ["cell 1: skipped %pip install torch torchvision"],
}

SHARED = {
    "files": {
        "common.ipynb": [WORKSPACE + OWN_PYTHON, "def tagged(name):\n    return {'owner': name}"],
        "helpers.py": "import sys\nwords = sys.argv[1:]\n",
    },
    "cells": [
        "%run ./common.ipynb",
        '%run helpers.py one "two words"\nwords',
        "%mkdir -p sub\n%store words",
        f"%%writefile sub/train.py\n{TRAIN}",
        "import pandas as pd\nrows = []\n"
        "for reg in (0.1, 0.2):\n"
        "    src = ScriptRunConfig('sub', 'train.py', arguments=['--regularization', reg], environment=env)\n"
        "    run = Experiment(ws, 'grid').submit(src, tags=tagged('me'))\n"
        "    run.wait_for_completion()\n"
        "    rows.append({'reg': reg, **{k: v for k, v in run.get_metrics().items() if k == 'accuracy'}})",
        "df = pd.DataFrame(rows).sort_values('accuracy', ascending=False)\ndf",
        "from IPython.display import HTML, Markdown, display\ndisplay(Markdown('**best**'), df.head(1))",
        "%who_ls",
        "_ = run.get_tags()\nprint(_['owner'])",
    ],
    "printed": ["['one', 'two words']", "0.9", "0.8", "Markdown object", "'tagged'", "me"],
    "said": [],
}

RUN_CONFIGURATION = {
    "cells": [
        "import warnings; warnings.filterwarnings('ignore')\n%config InlineBackend.figure_format='retina'",
        WORKSPACE,
        "from azureml.core.runconfig import RunConfiguration\nimport sys\n"
        "run_config = RunConfiguration(framework='python')\nrun_config.target = 'local'\n"
        "run_config.environment.python.user_managed_dependencies = True\n"
        "run_config.environment.python.interpreter_path = sys.executable",
        "folder = 'train-on-local'\nif not os.path.isdir(folder):\n    !mkdir {folder}",
        f"%%writefile ./train-on-local/train.py\n{TRAIN}",
        "with open(os.path.join(folder, 'train.py')) as f:\n    print(len(f.read()) > 100)",
        "src = ScriptRunConfig(source_directory=folder, script='train.py', run_config=run_config)\n"
        "run = Experiment(ws, 'train-on-local').submit(src)",
        "%%capture shown\nrun.wait_for_completion(show_output=True)",
        "print('shown', 'trained with' in shown.stdout)\nprint(run.get_status())",
        "sorted(ws.get_details())[:1]; run.get_details()['status']",
    ],
    "printed": ["True", "shown True", "Completed", "'Completed'"],
    "said": [],
}

FAILING_JOB = {
    "tags": {5: ["raises-exception"], 6: ["skip-execution"]},
    "cells": [
        "pip list",
        "%env KIND=test",
        WORKSPACE + OWN_PYTHON + "os.makedirs('bad', exist_ok=True)",
        "%%writefile bad/train.py\nraise ValueError('no data')",
        "run = Experiment(ws, 'bad').submit(ScriptRunConfig('bad', 'train.py', environment=env))\n"
        "run.wait_for_completion()",
        "input('Delete everything? ')",
        "print(run.get_status())\n'no data' in str(run.get_details_with_logs())",
        "import asyncio\nasync def later(x):\n    return x\nresults = await asyncio.gather(later(1), later(2))",
        "asyncio.get_event_loop().run_until_complete(later(results))",
        "cd bad",
        "ls",
    ],
    "printed": ["env: KIND=test", "Failed", "[1, 2]", "train.py"],
    "said": ["cell 6: not run", "no data"],
}

SHAPES = {
    "written-script": WRITTEN_SCRIPT,
    "logged-here": LOGGED_HERE,
    "estimator": ESTIMATOR,
    "sweep": SWEEP,
    "dataset": DATASET,
    "conda-file": CONDA_FILE,
    "distributed": DISTRIBUTED,
    "shared-notebook": SHARED,
    "run-configuration": RUN_CONFIGURATION,
    "failing-job": FAILING_JOB,
}
