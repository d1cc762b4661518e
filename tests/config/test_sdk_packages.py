"""What the SDK's packages brought, by their versions."""

from scriptrun.config.environments import sdk_packages


def test_the_version_decides_what_it_brought():
    assert "pandas" in sdk_packages.dependencies("azureml-defaults==1.20.0")
    assert "pandas" not in sdk_packages.dependencies("azureml-defaults==1.34.0")
    assert "mlflow<1.14" in sdk_packages.dependencies("azureml-mlflow==1.20.0")
    assert "mlflow-skinny<3.0.0" in sdk_packages.dependencies("azureml-mlflow")
    assert sdk_packages.release(["azureml-sdk==1.20.0"]) == "2021-01-11 azureml-sdk==1.20.0"
    assert sdk_packages.release(["azureml-sdk"]) == ""
    assert sdk_packages.last_release() == "2025-04-11 azureml-sdk 1.60"
