module github.com/mlflow-platform/mlflow-platform/tools/upstream/pause

go 1.26.0
