"""Rewriting code of the Azure ML SDK v1: Estimators to ScriptRunConfig, azureml to scriptrun."""
