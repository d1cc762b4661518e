# -*- coding: utf-8 -*-
import os
from azureml.core import Workspace, Experiment, Dataset, Environment, ScriptRunConfig
from azureml.core.compute import ComputeTarget, AmlCompute
from azureml.core.compute_target import ComputeTargetException
from azureml.train.hyperdrive import (BanditPolicy, BayesianParameterSampling, RandomParameterSampling,
                                      HyperDriveConfig, PrimaryMetricGoal, choice, uniform, HyperDriveRun)

ws = Workspace.from_config()
experiment = Experiment(ws, 'heart-failure-hd')

key = "heart-failure"
if key in ws.datasets.keys():
    dataset = ws.datasets[key]
else:
    datastore = ws.get_default_datastore()
    datastore.upload(src_dir='.', target_path='heart', overwrite=True)
    dataset = Dataset.Tabular.from_delimited_files(path=[(datastore, 'heart/heart_failure_clinical_records_dataset.csv')])
    dataset = dataset.register(workspace=ws, name=key, description='heart failure')
df = dataset.to_pandas_dataframe()
print(df.describe().loc['count'].tolist())

sklearn_env = Environment.from_conda_specification(name='sklearn-env', file_path='./conda_dependencies.yml')
param_sampling = RandomParameterSampling({
    '--n_estimators': choice(range(10, 31, 10)),
    '--max_depth': choice(2, 3, 5),
})
src = ScriptRunConfig(source_directory='./train_script', script='train.py', compute_target='capstone-cluster', environment=sklearn_env)
config = HyperDriveConfig(run_config=src, hyperparameter_sampling=param_sampling,
                          policy=BanditPolicy(slack_factor=0.2, evaluation_interval=1, delay_evaluation=5),
                          primary_metric_name='Accuracy', primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
                          max_total_runs=3, max_concurrent_runs=2, max_duration_minutes=30)
hd_run = experiment.submit(config, show_output=True)
hd_run.wait_for_completion(show_output=False)
best_run = hd_run.get_best_run_by_primary_metric()
parameter_values = best_run.get_details()['runDefinition']['arguments']
print('estimators', parameter_values[parameter_values.index('--n_estimators') + 1] in ('10', '20', '30'))
best_run.download_file('outputs/model.pkl', './outputs/model.pkl')
model = best_run.register_model(model_name='hf-hd', model_path='outputs/model.pkl', tags={'method': 'hd'},
                                model_framework='ScikitLearn', model_framework_version='0.24.1')
print(model.name, model.id, model.version, sep='\t')
