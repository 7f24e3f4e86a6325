# Every habit has one verb. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PYTHON_TRAINING ?= .venv-training/bin/python
DATA ?= ../shared/data
TORCH ?= torch==2.13.0
PROJECTS := libs/common services/audio_analyzer services/video_analyzer

help:  ## list the verbs
	@grep -hE '^[a-z][a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

# --- set-up: each stamp is remade only when what it depends on changed ---

export PYTHON
ENVIRONMENT := tools/environment.sh
PACKAGES := --no-deps --no-build-isolation $(PROJECTS:%=-e ./%)

# What serving needs, a quarter of what tests and lint need. Those are added on top: their lock has the same versions.
$(VENV)/.ready-serving: requirements/services.txt requirements/build.txt $(PROJECTS:%=%/pyproject.toml)
	@$(ENVIRONMENT) $(VENV) $(@F) --require-hashes -r requirements/services.txt -r requirements/build.txt -- $(PACKAGES)
	@rm -f $(VENV)/lib/python3*/site-packages/c2pa/libs/*.rlib  # 31 MB for linking Rust programs

$(VENV)/.ready: requirements/dev.txt $(VENV)/.ready-serving
	@$(ENVIRONMENT) $(VENV) $(@F) --require-hashes -r requirements/dev.txt

.venv-training/.ready: requirements/training.txt $(PROJECTS:%=%/pyproject.toml)
	@$(ENVIRONMENT) .venv-training $(@F) --require-hashes -r requirements/training.txt -- $(PACKAGES) -- $(TORCH)

.venv-training/.ready-engines: requirements/synthesis.txt requirements/speaker.txt .venv-training/.ready
	@$(ENVIRONMENT) .venv-training $(@F) --require-hashes -r requirements/synthesis.txt -- --no-deps --require-hashes -r requirements/speaker.txt

setup-serving: $(VENV)/.ready-serving  ## make the virtual environment (.venv) with what serving needs only

setup: $(VENV)/.ready  ## make the virtual environment (.venv), tests and lint included

setup-training: .venv-training/.ready  ## make the training environment (.venv-training, with PyTorch)

# --- the main job ---

run: setup-serving  ## run both services in the foreground: audio on 8000, video on 8001 (ARGS='--audio-port 9000' ...)
	@$(BIN)/silver-guardian serve $(ARGS)

analyze: $(if $(FILE),setup-serving)  ## judge files: make analyze FILE=samples/talk.mp4
	@test -n "$(FILE)" || { echo "usage: make analyze FILE=clip.mp4" >&2; exit 2; }
	@$(BIN)/silver-guardian analyze $(ARGS) -- "$(FILE)"

samples: setup  ## remake the clips that the local stack and the chart's test send
	@$(BIN)/python -m samples.make

# --- quality ---

lint-python: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PROJECTS:%=%/src) $(PROJECTS:%=%/tests) testbed tests/e2e tests/clients tests/page tests/*.py tools benchmarks docker samples

lint-training: setup-training
	.venv-training/bin/python -m mypy training

lint: lint-python lint-training  ## ruff, mypy strict, and the linters of infrastructure files

test: test-python test-training  ## run the tests

test-python: setup  ## the services' and the repository's tests, as many files at a time as there are cores
	$(BIN)/python -m pytest --numprocesses $(shell nproc) --dist loadfile

format: setup  ## rewrite the Python files in the house's format
	$(BIN)/ruff check --fix-only -q . && $(BIN)/ruff format -q .

lock: setup  ## remake the requirement locks
	$(BIN)/python -m pip install -q uv
	cd requirements && for name in dev services build training synthesis speaker infra servers clients; do \
	  ../$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	    $$(test $$name = dev || test $$name = infra || echo -c dev.txt) $$(test $$name != speaker || echo --no-deps) $$name.in -o $$name.txt; done

include docker/docker.mk benchmarks/benchmarks.mk training/audio/audio.mk training/video/video.mk terraform/terraform.mk helm/helm.mk tests/clients/clients.mk tests/page/page.mk

# Their rules are in training/*/*.mk.
test-training evaluate-audio calibrate-calls evaluate-video calibrate-video train-video: setup-training
train-audio: setup-training .venv-training/.ready-engines

docs: setup  ## remake the pages that are made from the code: settings, bundles and their JSON Schema, verdicts
	$(BIN)/python -m tools.document_settings
	$(BIN)/python -m tools.document_bundles
	$(BIN)/python -m tools.document_verdicts

words: setup  ## bring the catalogues of translations up to date with the phrases, and compile them
	$(BIN)/python -m tools.translate

.PHONY: words help setup setup-serving setup-training run analyze samples lint lint-python lint-training test test-python format lock docs
