# `make` alone says what there is. Only `make setup` sets anything up; `run` and `test` call it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
BRIDGE := actors/connectors/baileys/bridge
LAB := tests/lab
PYTEST_ARGS ?=

# A virtual environment holds absolute paths: after the tree was moved, or its Python removed, it is made anew.
USABLE := $(shell $(BIN)/python -c 'print("yes")' 2>/dev/null && grep -sqxF '$(CURDIR)' $(STAMPS)/venv && echo here)

PIP := $(BIN)/python -m pip --disable-pip-version-check
# Thespian is published as source only: built with the setuptools of requirements-build.lock, not with any other.
LOCKED := --require-hashes --no-build-isolation --use-pep517
FIND_NODE := $(BIN)/python -m actors.connectors.node
# npm stands in the virtual environment (where the one beside Node.js does not work), or beside Node.js.
WITH_NODE := node=$$(cd $(CURDIR) && $(FIND_NODE)) && PATH="$(CURDIR)/$(BIN):$${node%/*}:$$PATH"
COMPILE := $(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-config \
  --no-emit-find-links --no-emit-index-url --no-emit-trusted-host

fail = { echo 'make: $(1)' >&2; exit 1; }
PIP_FAILED = $(call fail,pip could not install the packages; see above)
# Names each package as pip comes to it; what goes wrong is on stderr and stays as it is.
PIP_PROGRESS := sed -En --unbuffered -e 's/^(Collecting|Processing) ([^ ]*\/)?([^ /]*).*/      \3/p' \
  -e 's/^Installing collected packages.*/      installing …/p'

##@ Use
.PHONY: help
help: ## Say what there is to make
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Start the daemon with a demonstration fleet of simulated sessions
	@exec $(BIN)/wavigil demo

.PHONY: setup
setup: $(STAMPS)/runtime $(BRIDGE)/node_modules/.package-lock.json ## Make .venv with the wavigil command, and the Node bridge

.PHONY: clean
clean: ## Remove what setup and the tools made; the daemon's own state stays
	rm -rf $(VENV) $(BRIDGE)/node_modules $(LAB)/node_modules *.egg-info build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Check
.PHONY: test
test: test-setup ## Set up, lint, and run every test but the long counts
	@$(MAKE) --no-print-directory lint
	@tests/run.sh $(BIN)/python -m 'not full' $(PYTEST_ARGS)

.PHONY: test-full
test-full: test-setup ## The same with the long counts
	@$(MAKE) --no-print-directory lint
	@tests/run.sh $(BIN)/python $(PYTEST_ARGS)

.PHONY: soak
soak: test-setup ## Half an hour of random kills on 300 simulated sessions: nothing may grow or be lost
	@$(BIN)/python -m tests.bench.soak

.PHONY: lint
lint: $(STAMPS)/test ## Check style, format, types and import layers
	@echo '==> lint'
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.PHONY: test-setup
test-setup: setup $(STAMPS)/test $(LAB)/node_modules/.package-lock.json
	@tests/setup/debian.sh

##@ Maintain
.PHONY: lock
lock: $(STAMPS)/test ## Choose package versions anew and write the Python lock files
	@$(PIP) install --quiet '.[lock]'
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --constraint requirements.lock --extra test --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --output-file requirements-build.lock requirements-build.in
	@$(COMPILE) --output-file requirements-node.lock requirements-node.in

# From here on: one thing each, with a stamp, so that nothing is done twice.

ifneq ($(USABLE),yes here)
.PHONY: $(STAMPS)/venv
endif
$(STAMPS)/venv:
	@echo '==> Python environment in $(VENV)'
	@command -v '$(PYTHON)' > /dev/null || $(call fail,$(PYTHON) is not installed; wavigil needs Python 3.11 or newer)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  $(call fail,$(PYTHON) is too old; wavigil needs Python 3.11 or newer: make setup PYTHON=python3.12)
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	  $(call fail,$(PYTHON) has no venv module; on Debian: apt install python3-venv)
	@if [ -e $@ ]; then rm -rf $(VENV); fi
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@echo '$(CURDIR)' > $@

$(STAMPS)/runtime: requirements-build.lock requirements.lock pyproject.toml $(STAMPS)/venv
	@echo '==> Python packages of wavigil'
	@$(PIP) install --quiet --require-hashes -r requirements-build.lock || $(PIP_FAILED)
	@$(PIP) install $(LOCKED) -r requirements.lock | $(PIP_PROGRESS) || $(PIP_FAILED)
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable . || $(PIP_FAILED)
	@touch $@

$(STAMPS)/test: requirements-dev.lock $(STAMPS)/runtime
	@echo '==> Python packages of the tests'
	@$(PIP) install $(LOCKED) -r requirements-dev.lock | $(PIP_PROGRESS) || $(PIP_FAILED)
	@touch $@

# Asked each time, which is quick: the machine's Node.js may have gone since.
.PHONY: node
node: $(STAMPS)/runtime
	@if [ -n "$${WAVIGIL_NODE:-}" ]; then $(FIND_NODE) > /dev/null; \
	elif ! { $(WITH_NODE) command -v npm; } > /dev/null 2>&1; then \
	  echo '==> Node.js into $(VENV), as this machine has none of version 20 or newer with npm (about 60 MB)'; \
	  $(PIP) install $(LOCKED) -r requirements-node.lock | $(PIP_PROGRESS) || $(PIP_FAILED); \
	fi

%/node_modules/.package-lock.json: %/package-lock.json %/package.json | node
	@echo '==> Node packages of $*'
	@cd $* && $(WITH_NODE) npm ci --no-audit --no-fund --ignore-scripts || \
	  $(call fail,npm could not install the packages of $*; see above)
	@touch $@
