# make demo   set up and run the whole chain on the embedded demo (minutes, no download besides packages)
# make test   set up and run the checks and tests
# make real   the same chain on real videos and real fMRI; DATA_ROOT=PATH says where they lie
# make help   all targets
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
DATA_ROOT ?= ../shared/data
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Every tool finds its neighbours, as in an activated environment.
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help demo real test check setup lock format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/' | awk -F: '{printf "make %-8s%s\n", $$1, $$2}'

setup: $(READY) ## virtual environment with pinned dependencies and the package itself

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "transferscale needs Python 3.11 to 3.13; set PYTHON=... (found $$($(PYTHON) --version))" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c requirements.lock --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q -c requirements.lock -e ".[all,slurm]" --group dev
	@touch $(READY)

demo: $(READY) ## the embedded demo, ending in results/demo/report/index.html
	snakemake

real: $(READY) ## real videos and real fMRI (DATA_ROOT=PATH); prints the verdicts
	@test -d "$(DATA_ROOT)" || { echo "make real: no folder '$(DATA_ROOT)'; say where the data lies: make real DATA_ROOT=PATH (its layout: docs/real-data.md)" >&2; exit 1; }
	snakemake --configfile config/studies/pixar-cut.yaml --config "data_root=$(DATA_ROOT)"
	transferscale report verdict results/pixar-cut

check: $(READY) ## linters, types, import floors, workflow lint
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check -l 110 Snakefile workflow
	snakemake --lint

test: check ## checks, then all tests
	pytest -n 2 --dist loadgroup --durations 8

format: $(READY) ## format code and workflow
	ruff check --fix-only .
	ruff format .
	snakefmt -l 110 Snakefile workflow

lock: $(READY) ## renew requirements.lock from the environment
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable \
	  | sed -E 's/\+cpu$$//; s/ @ .*//' | grep -E '^[A-Za-z0-9_.-]+==' ; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove results and caches (not the environment)
	rm -rf results .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
