"""``azureml.tensorboard``: TensorBoard on runs, and their metrics as its event files."""
