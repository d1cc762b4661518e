"""The classes of the ``azureml`` packages that differ from their scriptrun counterparts."""
