"""Logs the iris example through the gateway with the real MLflow client.

Trains a small classifier and logs parameters, metrics, a text artifact and the
model; registers the model, gives the version the alias "champion", loads it
back by that alias, and prints the link of the run. Running it again adds a run
and a version. The client keeps its default settings: what works here works for
every client.

Environment (MLflow's own names):
  MLFLOW_TRACKING_URI                the gateway, https://… (required)
  MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD   the login
  MLFLOW_TRACKING_SERVER_CERT_PATH   CA file, for a generated certificate
  DEMO_EXPERIMENT                    default "iris"
  DEMO_MODEL                         name of the registered model, default "iris"

Exit codes: 0 logged and read back, 1 failed (run doctor.py to find the layer),
2 MLFLOW_TRACKING_URI is not set.
"""

import os
import sys
import warnings

# The link is printed at the end, once.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
warnings.filterwarnings("ignore", category=FutureWarning)

import mlflow
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

ALIAS = "champion"


def log_iris(experiment: str, name: str) -> tuple[str, str]:
    """Trains, logs and registers; returns the ids of the experiment and the run."""
    data = load_iris()
    train_x, test_x, train_y, test_y = train_test_split(
        data.data, data.target, test_size=0.3, random_state=42, stratify=data.target
    )
    params = {"C": 1.0, "max_iter": 500, "random_state": 42}
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name="iris-logistic-regression") as run:
        model = LogisticRegression(**params).fit(train_x, train_y)
        predicted = model.predict(test_x)
        mlflow.log_params(params)
        mlflow.log_metrics({
            "accuracy": accuracy_score(test_y, predicted),
            "log_loss": log_loss(test_y, model.predict_proba(test_x)),
        })
        mlflow.log_text("\n".join(data.target_names), "classes.txt")
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(train_x, predicted), registered_model_name=name
        )
    MlflowClient().set_registered_model_alias(name, ALIAS, info.registered_model_version)
    return run.info.experiment_id, run.info.run_id


def read_back(name: str) -> None:
    """Loads the model by its alias and predicts with it: database and store both answer."""
    model = mlflow.sklearn.load_model(f"models:/{name}@{ALIAS}")
    data = load_iris()
    accuracy = accuracy_score(data.target, model.predict(data.data))
    if accuracy < 0.9:
        raise RuntimeError(f"the model that came back has an accuracy of only {accuracy:.2f}")


def main() -> int:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not uri:
        print("demo: MLFLOW_TRACKING_URI is not set", file=sys.stderr)
        return 2
    name = os.environ.get("DEMO_MODEL", "iris")
    try:
        experiment, run = log_iris(os.environ.get("DEMO_EXPERIMENT", "iris"), name)
        read_back(name)
    except Exception as error:
        print(f"demo: failed: {type(error).__name__}: {error}", file=sys.stderr)
        print("demo: run doctor.py to find out which layer fails", file=sys.stderr)
        return 1
    version = MlflowClient().get_model_version_by_alias(name, ALIAS).version
    print(f"model  models:/{name}@{ALIAS} is version {version}")
    print(f"run    {uri}/#/experiments/{experiment}/runs/{run}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
