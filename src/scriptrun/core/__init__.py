"""The public classes: Workspace, Experiment, Run, Model, Dataset, Datastore, Keyvault."""
