"""What MLflow runs when it loads a package that was logged: this file itself."""

from mlflow.models import set_model

from parity_runtime.mlflow import ParityModel

set_model(ParityModel())
