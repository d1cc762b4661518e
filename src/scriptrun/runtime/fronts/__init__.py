"""What a job's script imports as ``scriptrun`` and ``azureml``."""
