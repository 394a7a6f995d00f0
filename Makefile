# Everything a person types. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help screenshot up down demo doctor env test unit python-test e2e bench check fmt docs golden images toolchain list-cache clean-cache

# Flags for up, down, demo, doctor and env, such as:
#   make up ARGS="--kubeconfig ~/.kube/config --context my-cluster"
ARGS ?=
# With these every go command, pulumi's and those that build the toolchain, finds
# the other ones' packages in Go's build cache. Nobody debugs what is compiled here,
# and without tables for debuggers it takes a twentieth less time and a fifth less
# cache; stack traces keep their lines.
export GOFLAGS ?= -buildvcs=false -trimpath -gcflags=all=-dwarf=false
export CGO_ENABLED ?= 0

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## from this machine to a working, authenticated MLflow on Kubernetes
	@cd tools && go run ./cmd/platform up $(ARGS)

down: ## remove everything that make up created
	@cd tools && go run ./cmd/platform down $(ARGS)

demo: ## log the iris example with the real MLflow client
	@cd tools && go run ./cmd/platform demo $(ARGS)

screenshot: ## open the MLflow page in headless Chromium: out/experiment.png
	@cd tools && go run ./cmd/platform screenshot $(ARGS)

doctor: ## check MLflow layer by layer from a client's place
	@cd tools && go run ./cmd/platform doctor $(ARGS)

env: ## print shell assignments: eval "$$(make -s env)"
	@cd tools && go run ./cmd/platform env $(ARGS)

test: unit graph ## unit, graph, manifest and engine tests; no cluster, no root

unit: ## tests beside the code, of the program and the tools
	go test ./...
	cd tools && go test ./...
	cd tools/upstream/kubernetes && go test ./internal/...

.PHONY: graph
graph: ## properties, golden graphs and manifests of every stack variant
	pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && caddy=$$(cd tools && go run ./cmd/toolchain path caddy) && \
	cd tests && MLFLOW_PLATFORM_PULUMI=$$pulumi MLFLOW_PLATFORM_CADDY=$$caddy/caddy go test ./...

.PHONY: test-aws
test-aws: ## graph, policies and engine of stacks on AWS; compiles its SDK, minutes the first time
	pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && host=$$(cd tools && go run ./cmd/toolchain path pulumi-language-go) && \
	(cd components/aws && go vet ./...) && cd tests/aws && go vet ./... && MLFLOW_PLATFORM_PULUMI=$$pulumi MLFLOW_PLATFORM_LANGUAGE_GO=$$host go test ./...

.PHONY: test-azure
test-azure: ## graph, rules of the API and engine of stacks on Azure; compiles its SDK, minutes the first time
	pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && host=$$(cd tools && go run ./cmd/toolchain path pulumi-language-go) && \
	(cd components/azure && go vet ./... && go test ./...) && \
	cd tests/azure && go vet ./... && MLFLOW_PLATFORM_PULUMI=$$pulumi MLFLOW_PLATFORM_LANGUAGE_GO=$$host go test ./...

.PHONY: test-gcp
test-gcp: ## graph and engine of stacks on Google Cloud; compiles its SDK, minutes the first time
	pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && host=$$(cd tools && go run ./cmd/toolchain path pulumi-language-go) && \
	(cd components/gcp && go vet ./...) && cd tests/gcp && go vet ./... && MLFLOW_PLATFORM_PULUMI=$$pulumi MLFLOW_PLATFORM_LANGUAGE_GO=$$host go test ./...

.PHONY: compile-clouds
compile-clouds: # what test-aws, verify-aws, test-azure, test-gcp and verify-gcp compile first
	cd tests/aws && go vet ./... && go vet -tags verify ./...
	cd tools && go run ./cmd/toolchain path pulumi-resource-aws
	cd components/azure && go vet ./...
	cd tests/azure && go vet ./...
	cd tests/gcp && go vet ./... && go vet -tags verify ./...
	cd tools && go run ./cmd/toolchain path pulumi-resource-gcp

.PHONY: verify-aws
verify-aws: python-venv ## AWS' own provider on every resource of the stacks, and on an emulator; builds it, minutes the first time
	provider=$$(cd tools && go run ./cmd/toolchain path pulumi-resource-aws) && pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && \
	cd tests/aws && go vet -tags verify ./... && MLFLOW_PLATFORM_PROVIDER_AWS=$$provider MLFLOW_PLATFORM_PULUMI=$$pulumi \
	MLFLOW_PLATFORM_PYTHON_BIN=$(PYTHON_TEST_VENV)/bin go test -tags verify -count=1 -parallel 5 -v -run TestTheProvider ./...

.PHONY: verify-gcp
verify-gcp: ## Google's own provider on every resource of the stacks, and on a fake of its API; builds it, minutes the first time
	provider=$$(cd tools && go run ./cmd/toolchain path pulumi-resource-gcp) && pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && \
	(cd tools/upstream/pulumi-resource-gcp && go test .) && \
	cd tests/gcp && go vet -tags verify ./... && MLFLOW_PLATFORM_PROVIDER_GCP=$$provider MLFLOW_PLATFORM_PULUMI=$$pulumi \
	go test -tags verify -count=1 -parallel 4 -v -run TestTheProvider ./...

golden: ## accept the changed golden graphs; review the diff
	cd tests && go test . -run Golden -update
	cd tests/aws && go test . -run Golden -update
	cd tests/azure && go test . -run Golden -update
	cd tests/gcp && go test . -run Golden -update

.PHONY: release-states
release-states: ## with a release: record the states that the next ones must update (RELEASE=v1.0.0)
	pulumi=$$(cd tools && go run ./cmd/toolchain path pulumi) && \
	cd tests && MLFLOW_PLATFORM_PULUMI=$$pulumi go test ./engine -count=1 -run TheStateOfARelease -record $(RELEASE) && \
	for cloud in aws azure gcp; do (cd $$cloud && MLFLOW_PLATFORM_PULUMI=$$pulumi go test . -count=1 -run TheStateOfARelease -record $(RELEASE)) || exit 1; done

PYTHON_TEST_VENV = $(or $(MLFLOW_PLATFORM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mlflow-platform)/python-test/$(shell cat tests/python/requirements.txt tests/python/azurite/package-lock.json | sha256sum | cut -c1-12)

.PHONY: python-venv
python-venv:
	@mkdir -p $(dir $(PYTHON_TEST_VENV)) && flock $(PYTHON_TEST_VENV).lock sh -ec 'test -e $(PYTHON_TEST_VENV)/ready && exit; \
		python3 -m venv --clear $(PYTHON_TEST_VENV); \
		$(PYTHON_TEST_VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt; \
		mkdir -p $(PYTHON_TEST_VENV)/azurite && cp tests/python/azurite/*.json $(PYTHON_TEST_VENV)/azurite; \
		PATH=$(PYTHON_TEST_VENV)/bin:$$PATH npm --prefix $(PYTHON_TEST_VENV)/azurite ci --silent --no-audit --no-fund --ignore-scripts; \
		touch $(PYTHON_TEST_VENV)/ready'

python-test: python-venv ## the jobs' Python programs on a real PostgreSQL, MLflow and servers of three kinds of stores
	gcs=$$(cd tools && go run ./cmd/toolchain path fake-gcs-server) && \
	FAKE_GCS_SERVER=$$gcs/fake-gcs-server $(PYTHON_TEST_VENV)/bin/python -m pytest -q tests/python

e2e: toolchain images ## the end-to-end run on a real local cluster; Linux, root
	cd tools && go test -tags e2e -count=1 -timeout 30m -run TestCluster ./cluster
	cd tests && go test -tags e2e -count=1 -timeout 60m -v ./e2e/

bench: ## measure, beside a tutorial's manifests, into docs/benchmarks.md; Linux, root
	@cd tools && go run ./bench $(ARGS)

toolchain: ## build the pinned programs
	@cd tools && go run ./cmd/toolchain build

images: ## build the local container images
	@cd tools && go run ./cmd/toolchain images

list-cache: ## what the cache holds, with sizes
	@cd tools && go run ./cmd/toolchain list

clean-cache: ## remove everything that was built outside the checkout
	@cd tools && go run ./cmd/toolchain clean -all

docs: ## write the generated pages
	go run ./docs/gen

fmt: ## format
	gofmt -w .

check: ## formatting and vet of all modules
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; exit 1; }
	go vet ./...
	cd tools && go vet ./... && go vet -tags e2e ./cluster
	cd tools/upstream/kubernetes && go vet ./internal/...
	cd tests && go vet ./... && go vet -tags e2e ./...
