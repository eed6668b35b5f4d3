# Two commands for a newcomer: `make demo` and `make test`. Everything else is for those who change the product.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos third_party -name '*.proto')
GENERATED := gateway/v1/.generated

.PHONY: help setup demo test conformance check proto format lock bench clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml $(PROTOS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed ## Make the environment: hash-pinned packages, generated code

proto: ## Generate gateway/v1 from the contract
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc --proto_path=protos --proto_path=third_party/protos --python_out=. \
		--grpc_python_out=. --mypy_out=. --mypy_grpc_out=only_async:. $(PROTOS:protos/%=%)

conformance: setup ## Let Go's transparency-log libraries verify what we write (Debian packages: tests/conformance/third_party)
	@tests/conformance/third_party/run
