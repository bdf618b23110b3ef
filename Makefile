.DEFAULT_GOAL := help
.PHONY: help install protos lint buf no-buf baseline types test test-all soak frames fuzz sanitize bench run devnet clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEV := $(VENV)/.dev
FUZZ := $(VENV)/.fuzz
FUZZ_SECONDS ?= 60
FRAMES ?= 1000000
PROTO_VENV := .venv-protos
GENERATOR := $(PROTO_VENV)/.installed
GO := $(shell command -v go)
NPM := $(shell command -v npm)
TOOLS := build/tools
BUF_VERSION := 1.74.0
GRPCURL_VERSION := 1.9.4
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

lint: $(DEV) $(if $(NPM)$(GO),buf,no-buf)  ## ruff: rules and format; and buf, where npm or Go is
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

buf: $(TOOLS)/buf  ## the .proto files: style, comments, and nothing broken since the last release
	@$(TOOLS)/buf lint protos
	@$(TOOLS)/buf breaking protos --against protos/baseline.binpb

no-buf:
	@echo "left out: buf on the .proto files, for this machine has neither npm nor go"

baseline: $(TOOLS)/buf  ## at a release: let nothing of today's .proto files break from now on
	@$(TOOLS)/buf build protos --exclude-source-info --output protos/baseline.binpb

$(TOOLS)/buf: $(TOOLS)/.buf-$(BUF_VERSION)
$(TOOLS)/grpcurl: $(TOOLS)/.grpcurl-$(GRPCURL_VERSION)
$(TOOLS)/buf $(TOOLS)/grpcurl:
	@touch -c $@

# npm has buf built; Go compiles it, which takes minutes.
$(TOOLS)/.buf-$(BUF_VERSION):
	@mkdir -p $(TOOLS) && rm -f $(TOOLS)/.buf-* $(TOOLS)/buf
ifdef NPM
	@npm install --silent --no-audit --no-fund --prefix $(TOOLS)/buf-by-npm @bufbuild/buf@$(BUF_VERSION)
	@ln -s buf-by-npm/node_modules/.bin/buf $(TOOLS)/buf
else
	@GOBIN=$(abspath $(TOOLS)) go install github.com/bufbuild/buf/cmd/buf@v$(BUF_VERSION)
endif
	@touch $@

$(TOOLS)/.grpcurl-$(GRPCURL_VERSION):
	@mkdir -p $(TOOLS) && rm -f $(TOOLS)/.grpcurl-*
	@GOBIN=$(abspath $(TOOLS)) go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v$(GRPCURL_VERSION)
	@touch $@

types: $(DEV)  ## mypy --strict
	@$(BIN)/mypy

test: $(DEV)  ## the tests, with the clients in other languages that this machine can build
	@$(BIN)/pytest -q

# Each is a program of its own that says what it does: python -m tests.soak.NAME --help
SOAKS := door stalled falls cuts "cuts --power --seed 2" hostile "hostile --persistent" "hostile --polite" frames network

soak: $(DEV)  ## what takes hours: kill -9, hostile peers, floods, fuzzed frames, eight nodes, a thousand seeds
	@for soak in $(SOAKS); do \
		echo "== $$soak"; PYTHONPATH=.:protos $(BIN)/python -m tests.soak.$$soak || exit 1; \
	done
	@$(BIN)/troupe simulate --minutes 2 --byzantine 0.2 --loss 0.02 --partition 1 --crash 1 --disk-fault 1 \
		--fall 1 --seeds 1000

frames: $(DEV)  ## FRAMES=1000000 wrong frames through a live node, of which no actor may fall
	@PYTHONPATH=.:protos $(BIN)/python -m tests.soak.frames --frames $(FRAMES)

fuzz: $(FUZZ)  ## coverage-guided fuzzing, FUZZ_SECONDS=60 for each target; what is found stays in build/fuzz
	@PYTHONPATH=.:protos $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

# Atheris has wheels for some systems; without, the fuzzing says that it is left out.
$(FUZZ): $(DEV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--only-binary :all: --group fuzz 2>/dev/null && touch $@ || true

test-all: $(DEV)  ## the tests with more simulation seeds, a kill at every message, and the clients in all languages
	@TROUPE_SEEDS=2000 TROUPE_KILLS=all TROUPE_REQUIRE_CLIENTS=1 $(BIN)/pytest -q

sanitize: $(DEV)  ## the kernels' tests on a build that stops at bad memory accesses
	@.ci/sanitize

bench: $(DEV)  ## how fast it is on this machine: a table, and build/bench.json; some ten minutes
	@mkdir -p build
	@PYTHONPATH=.:protos $(BIN)/python -m tests.bench --save build/bench.json

run: devnet  ## the main job: a three-node network on this machine, mining, with a live table

devnet: $(INSTALLED)  ## the same, by its own name
	@$(BIN)/troupe devnet --nodes 3

clean:  ## remove what the other targets made
	@rm -rf $(VENV) $(PROTO_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@rm -f actors/miner/_native*.so
	@cd tests/clients && rm -rf go/gen go/troupe-client java/target rust/target \
		typescript/dist typescript/gen typescript/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
