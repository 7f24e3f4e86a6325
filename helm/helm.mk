# The chart, plain manifests, the deployment and their tests. Included by the root Makefile after terraform/terraform.mk.

HELM_BIN := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/bin
CHART := helm/silver-guardian

setup-helm: .venv-infra/.ready
	@.ci/helm.sh "$(HELM_BIN)"

lint-helm: setup-helm  ## helm lint, the deployment's shell, and types of the chart's Python
	@for values in $(CHART)/values-eks.yaml $(CHART)/ci/*-values.yaml; do \
	  "$(HELM_BIN)/helm" lint --strict --quiet --kube-version 1.35 $(CHART) -f $$values || exit 1; done
	$(BIN_INFRA)/shellcheck deploy-ml-services.sh .ci/helm.sh tests/helm/standin.sh tools/environment.sh
	MYPYPATH=helm/tools $(BIN_INFRA)/mypy --exclude probe_services tests/helm helm/tools/*.py

test-helm: setup setup-infra setup-helm  ## render, validate, scan and deploy the chart (about 3 minutes)
	PATH="$(HELM_BIN):$$PATH" $(BIN_INFRA)/python -m pytest --confcutdir=tests/helm tests/helm

manifests: setup-helm  ## remake k8s/ml-services from the chart
	PATH="$(HELM_BIN):$$PATH" $(BIN_INFRA)/python helm/tools/render_manifests.py k8s/ml-services

deploy:  ## build, provision and install on EKS: make deploy ARGS=--dry-run
	./deploy-ml-services.sh $(ARGS)

verify-cluster:  ## check a live cluster: nodes, scaling, an upload through the queue, /health (ARGS=--no-wake leaves it asleep)
	@python3 helm/tools/verify_cluster.py $(ARGS)

lint: lint-helm
test: test-helm

.PHONY: setup-helm lint-helm test-helm manifests deploy verify-cluster
