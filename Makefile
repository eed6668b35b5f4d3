# Two commands for a newcomer: `make demo` and `make test`. Everything else is for those who change the product.
.DEFAULT_GOAL := help
MINUTES ?= 1
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
INSTALLED := $(VENV)/.installed
PROTOS := $(shell find protos third_party/protos -name '*.proto')
CATALOGUES := $(wildcard gateway/translation/catalogues/*.po)
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra otlp --extra console --extra s3 --extra nats --extra timestamps --extra pkcs11 --generate-hashes --no-header --no-annotate --quiet
CODE := gateway $(wildcard demo bench)
# The example in TypeScript, which is built where npm is.
NODE_MODULES := $(if $(shell command -v npm),examples/typescript/node_modules/.package-lock.json)
# What is given to the demo, to pytest or to the benchmark: make test ARGS='-k evidence'
ARGS ?=
# Each of the many processes would compile the product and its packages again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-packages check lint types contract drift conformance proto catalogues readings lookalikes format migration lock bench drill attack fuzz docs pictures screenshots clients containers clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

demo: setup ## Set everything up, then run three gateways on this machine with a scripted case
	@$(BIN)/python -m demo $(ARGS)

test: setup ## Set everything up, then run all tests; says what is missing on the machine
	@scripts/test-packages --check
	@$(BIN)/python -m scripts.run_tests --numprocesses auto --dist loadfile --no-loadscope-reorder --quiet $(ARGS)

test-packages: ## Install Chromium, Chinese fonts, nats-server, HAProxy, OpenSSL and SoftHSM for tests (as root on Debian)
	@scripts/test-packages

setup: $(INSTALLED) ## Make the environment: hash-pinned packages, generated code

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Three steps: the environment $(VENV), its packages (one to five minutes), generated code"
	@echo "(20 s). Then: $(or $(MAKECMDGOALS),setup). This is done once."
	@$(PYTHON) -m venv $(VENV)

$(PACKAGES): requirements.lock | $(BIN)/python
	@scripts/progress "Installing the packages of requirements.lock into $(VENV)" $(PIP) install --progress-bar off --no-compile --require-hashes --requirement requirements.lock
	@touch $@

# An editable install generates the code of the contract and compiles translations, hence the protos and catalogues here,
# and PATH: protoc looks for its plugins.
$(INSTALLED): $(PACKAGES) pyproject.toml $(PROTOS) $(CATALOGUES)
	@PATH=$(CURDIR)/$(BIN):$$PATH scripts/progress "Generating the contract's code and compiling translations" $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

examples/typescript/node_modules/.package-lock.json: examples/typescript/package-lock.json
	@cd examples/typescript && ../../scripts/progress "Installing the packages of examples/typescript with npm" npm ci --no-audit --no-fund

clients: setup $(NODE_MODULES) ## Build the clients in other languages whose tools are there, and run them (examples/README.md)
	@$(BIN)/python examples/check.py $(ARGS)

check: lint types contract drift ## Everything that is checked without running the product

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

types: setup
	$(BIN)/mypy --strict $(CODE:%=--package %)

contract: setup
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	BIN=$(CURDIR)/$(BIN) scripts/breaking

# Whatever is written in two places, or made from another file, says the same in both.
drift: setup
	BIN=$(CURDIR)/$(BIN) scripts/generated
	$(BIN)/python -m pytest --quiet -m drift tests

conformance: setup ## Let Go's transparency-log libraries verify what we write (Debian packages: tests/conformance/third_party)
	@tests/conformance/third_party/run

proto: setup ## Generate gateway/v1 and docs/schema from the contract
	@BIN=$(CURDIR)/$(BIN) scripts/generate .
	@$(BIN)/python scripts/schemas.py

catalogues: setup ## Collect the texts that people read, bring the translations to their state, compile them
	@$(BIN)/python scripts/catalogues.py

readings: setup ## Make the readings of Chinese characters again from the dictionaries
	@$(BIN)/python scripts/readings.py >gateway/reference/readings.csv.new
	@mv gateway/reference/readings.csv.new gateway/reference/readings.csv

lookalikes: setup ## Make the characters that look like others again from Unicode's confusables
	@$(BIN)/python scripts/lookalikes.py >gateway/contract/identification/lookalike_letters.py.new
	@mv gateway/contract/identification/lookalike_letters.py.new gateway/contract/identification/lookalike_letters.py

format: setup ## Format code and contract
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet
	@$(BIN)/buf format --write

migration: setup ## Add a migration from the tables' changes: make migration ARGS="message"; databases are never thrown away
	@$(BIN)/python scripts/migration.py $(ARGS)

lock: $(BIN)/python ## Resolve the packages again: requirements.lock for everything, requirements-runtime.lock for the image
	@$(PIP) --quiet install uv
	@$(LOCK) --group dev $(ARGS) --output-file requirements.lock >/dev/null
	@$(LOCK) --constraint requirements.lock --output-file requirements-runtime.lock >/dev/null

bench: setup ## Measure the product beside its floors, in one run
	@$(BIN)/python -m bench $(ARGS)

drill: setup ## Lose the disk of one of three nodes in traffic, restore it from a backup, and list what was lost
	@$(BIN)/python -m bench.drill $(ARGS)

attack: setup ## Attack a node while others use it, and print how it held (bench/attacks)
	@$(BIN)/python -m bench.attacks $(ARGS)

fuzz: setup ## Fuzz every parser of foreign bytes, MINUTES for each; ARGS names targets (tests/fuzz)
	@$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES) $(ARGS)

docs: setup ## Build the documentation site into site/, without the Internet
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict $(ARGS)

pictures: setup ## Draw the tutorial's pictures again, from what its commands print
	@$(BIN)/python scripts/pictures.py

screenshots: setup ## Take a picture of every page of the console in four languages and two widths, into screenshots/
	@$(BIN)/python scripts/screenshots $(ARGS)

containers: setup ## Run docker-compose.yml with podman-compose, and see that an alert crosses (tests/containers)
	@$(BIN)/python -m tests.containers.check

clean: ## Remove the environment and everything that was generated
	@rm -rf $(VENV) buf demo-run screenshots dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f gateway/v1/*_pb2* gateway/translation/catalogues/*.mo
