import os
from azureml.core import Environment, Experiment, ScriptRunConfig
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.runconfig import RunConfiguration
from azureml.train.estimator import Estimator


class TrainingJob(object):
    def __init__(self, connection, name, source_dir, script):
        self.connection, self.name, self.source_dir, self.script = connection, name, source_dir, script
        self.run = None

    @property
    def experiment(self):
        return Experiment(workspace=self.connection.ws, name=self.name)

    def run_config(self):
        cfg = RunConfiguration(framework="python")
        cfg.target = self.connection.compute()
        env = self.connection.settings.environment
        deps = CondaDependencies()
        deps.set_python_version(str(env.python))
        for p in env.conda:
            deps.add_conda_package(p)
        for p in env.pip:
            deps.add_pip_package(p)
        cfg.environment.python.conda_dependencies = deps
        cfg.environment.environment_variables = dict(env.variables)
        return cfg

    def submit(self, arguments, tags=None, wait=True):
        src = ScriptRunConfig(source_directory=self.source_dir, script=self.script, arguments=arguments,
                              run_config=self.run_config())
        self.run = self.experiment.submit(src, tags=tags or {})
        if wait:
            self.run.wait_for_completion(show_output=False)
        return self

    def metrics(self):
        return dict(self.run.get_metrics())

    def fetch(self, prefix, to):
        os.makedirs(to, exist_ok=True)
        self.run.download_files(prefix=prefix, output_directory=to, append_prefix=False)
