from azureml.core import Run
run = Run.get_context()
run.fail(error_details="no data for today", error_code="NoData")
