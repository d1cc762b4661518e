import azureml.core
from azureml.core import Dataset, Environment, Experiment, Model, ScriptRunConfig, Workspace
from azureml.data.dataset_factory import TabularDatasetFactory, DataType
from azureml.widgets import RunDetails

ws = Workspace.from_config()
default_ds = ws.get_default_datastore()
if 'titanic_ds' not in ws.datasets:
    default_ds.upload_files(files=['./data/titanic.csv'], target_path='titanic/', overwrite=True, show_progress=True)
    tab = TabularDatasetFactory.from_delimited_files(path=(default_ds, 'titanic/*.csv'), set_column_types={'Ticket': DataType.to_string()})
    try:
        tab = tab.register(workspace=ws, name='titanic_ds', description='titanic', tags={'format': 'CSV'}, create_new_version=True)
        print('registered')
    except Exception as ex:
        print(ex)
else:
    print('already there')
ds = ws.datasets.get('titanic_ds')
train, test = ds.random_split(percentage=0.7, seed=4)
n, m = len(train.to_pandas_dataframe()), len(test.to_pandas_dataframe())
print('split adds up', n + m, n > m)

env = Environment.from_conda_specification('sklearn-env', 'conda_dependencies.yml')
env.docker.enabled = False
env.register(workspace=ws)
registered_env = Environment.get(ws, 'sklearn-env')

config = ScriptRunConfig(source_directory='src', script='train_titanic.py',
                         arguments=['--reg-rate', 0.1, '--input-data', ds.as_named_input('training')], environment=registered_env)
experiment = Experiment(workspace=ws, name='mslearn-titanic')
run = experiment.submit(config=config)
RunDetails(run).show()
run.wait_for_completion()
metrics = run.get_metrics()
for key in metrics.keys():
    print(key, metrics.get(key))
for model in Model.list(ws):
    print(model.name, 'version:', model.version)
    for tag_name in model.tags:
        print('\t', tag_name, ':', model.tags[tag_name])
    for prop_name in model.properties:
        print('\t', prop_name, ':', model.properties[prop_name])
inputs = run.get_details()['inputDatasets']
input_dataset = inputs[0]['dataset']
print(input_dataset.name, input_dataset.tags, len(input_dataset.to_pandas_dataframe()))
