.DEFAULT_GOAL := help
.PHONY: help install protos lint types test test-all sanitize bench run devnet clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEV := $(VENV)/.dev
PROTO_VENV := .venv-protos
GENERATOR := $(PROTO_VENV)/.installed
NATIVE := setup.py $(wildcard actors/miner/kernels/*.[ch])

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## create .venv with troupe and its runtime dependencies

# A module of older sources must not outlive a build that fails.
$(INSTALLED): pyproject.toml constraints.txt $(NATIVE)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f actors/miner/_native*.so
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(BIN)/python -c 'from actors.miner.engines import plan_engine; plan = plan_engine(); \
		names = ", ".join(kernel.name for kernel in plan.kernels); \
		print(f"kernels of the native scan: {names}" if names else \
		f"mining runs hashlib: {plan.note} (make -B install)")'
	@touch $@

$(DEV): $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	@touch $@

protos: $(GENERATOR)  ## generate the Python stubs from protos/ (lowest supported generator)
	@cd protos && PATH="$(abspath $(PROTO_VENV)/bin):$$PATH" python -m grpc_tools.protoc -I. \
		--python_out=. --mypy_out=quiet:. troupe/admin/v1/*.proto
	@cd protos && PATH="$(abspath $(PROTO_VENV)/bin):$$PATH" python -m grpc_tools.protoc -I. \
		--grpc_python_out=. --mypy_grpc_out=quiet:. troupe/admin/v1/*_service.proto

$(GENERATOR): pyproject.toml
	@test -x $(PROTO_VENV)/bin/python || $(PYTHON) -m venv $(PROTO_VENV)
	@$(PROTO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(PROTO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --group protos
	@touch $@

lint: $(DEV)  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV)  ## mypy --strict
	@$(BIN)/mypy

test: $(DEV)  ## the tests, in under 5 minutes
	@$(BIN)/pytest -q

test-all: $(DEV)  ## the tests with more simulation seeds
	@TROUPE_SEEDS=2000 $(BIN)/pytest -q

sanitize: $(DEV)  ## the kernels' tests on a build that stops at bad memory accesses
	@.ci/sanitize

bench: $(DEV)  ## how fast it is on this machine
	@PYTHONPATH=.:protos $(BIN)/python -m tests.bench

run: devnet  ## the main job: a three-node network on this machine, mining, with a live table

devnet: $(INSTALLED)  ## the same, by its own name
	@$(BIN)/troupe devnet --nodes 3

clean:  ## remove what the other targets made
	@rm -rf $(VENV) $(PROTO_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@rm -f actors/miner/_native*.so
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
