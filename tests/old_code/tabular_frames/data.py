import pandas as pd
from azureml.core import Dataset, Workspace
from azureml.data.dataset_factory import DataType, TabularDatasetFactory
from azureml.data.dataset_type_definitions import PromoteHeadersBehavior
ws = Workspace.from_config()
store = ws.get_default_datastore()
df = pd.read_csv("data/diabetes.csv")
ds = TabularDatasetFactory.register_pandas_dataframe(df, target=(store, "frames/diabetes"), name="from-pandas", show_progress=False)
print(ds.name, ds.version, len(ds.to_pandas_dataframe()))
store.upload("data", "csv", overwrite=True)
typed = Dataset.Tabular.from_delimited_files((store, "csv/diabetes.csv"), set_column_types={"PatientID": DataType.to_string(), "BMI": DataType.to_float(decimal_mark=".")}, header=PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS)
frame = typed.to_pandas_dataframe()
print(type(frame.PatientID.iloc[0]).__name__, frame.BMI.dtype)
train, test = typed.random_split(percentage=0.8, seed=1)
print(len(train.to_pandas_dataframe()) + len(test.to_pandas_dataframe()))
kept = typed.keep_columns(["BMI", "Age"]).drop_columns("Age")
print(list(kept.to_pandas_dataframe().columns), typed.take(3).to_pandas_dataframe().shape, typed.skip(70).to_pandas_dataframe().shape)
print(len(typed.filter(typed["Diabetic"] == 1).to_pandas_dataframe()))
typed = typed.register(ws, "typed", create_new_version=True).add_tags({"a": "b"})
typed = Dataset.get_by_name(ws, "typed", version="latest")
print(typed.version, Dataset.get_by_id(ws, typed.id).name)
