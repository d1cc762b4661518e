#!/usr/bin/env python
"""mlctl deploy STAGE | call STAGE JSON | remove STAGE"""
import json
import sys

import yaml
from azureml.core import Environment, Workspace
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice


class Stage:
    KINDS = {"local": LocalWebservice, "aci": AciWebservice, "aks": AksWebservice}

    def __init__(self, ws, config, stage):
        self.ws, self.config, self.stage = ws, config, stage
        self.settings = dict(config["services"][stage])
        self.kind = self.KINDS[self.settings.pop("type")]
        self.target = self.settings.pop("compute", None)
        self.name = "churn-" + stage

    def deploy(self):
        models = []
        for entry in self.config["models"]:
            models.append(Model.register(self.ws, model_path=entry["path"], model_name=entry["name"], tags=entry["tags"]))
        section = self.config["inference"]
        env = Environment(section["environment"]["name"])
        env.environment_variables = section["environment"]["variables"]
        env.python.user_managed_dependencies = True
        env.register(self.ws)
        inference = InferenceConfig(entry_script=section["entry_script"],
                                    source_directory=section["source_directory"],
                                    environment=Environment.get(self.ws, env.name))
        target = self.ws.compute_targets[self.target] if self.target else None
        service = Model.deploy(self.ws, self.name, models, inference,
                               self.kind.deploy_configuration(**self.settings),
                               deployment_target=target, overwrite=True)
        service.wait_for_deployment(show_output=False)
        print(self.name, service.state, service.compute_type, type(service).__name__)

    def call(self, body):
        service = Webservice(self.ws, self.name)
        print(self.stage, json.dumps(service.run(body)))

    def remove(self):
        self.kind(self.ws, self.name).delete()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with open("config/deploy.yml") as f:
        configuration = yaml.safe_load(f)
    action, stage, *rest = sys.argv[1:]
    getattr(Stage(Workspace.from_config(), configuration, stage), action)(*rest)
