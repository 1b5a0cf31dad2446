# `make demo` and `make test` each work as the first command in a fresh clone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-cluster test-newest fuzz check clean

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
RUN := runs/technology_filter
EXPORTED := exported/technology_filter
# The experiment itself takes more than half as long again.
SHORTER := --set training.epochs=4 --set search.stop_early.grace_epochs=1
# What stands on private parts of other libraries, and one search from end to end.
RELIED_ON := tests/search/cluster tests/search/engine tests/trainables/models tests/trainables/slot
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(INSTALLED)  ## the whole way on generated data: search, leaderboard, export (a few minutes on 2 cores)
	$(BIN)/rarecall generate -o data/articles.jsonl --seed 7
	$(BIN)/rarecall tune experiments/technology_filter.yaml $(SHORTER) --overwrite
	$(BIN)/rarecall leaderboard $(RUN)
	rm -rf $(EXPORTED)
	@# Whether so short a search misses a criterion depends on the machine; then the refusal is shown, and overruled.
	@# Exit code 3: the folder is written, but the test split says not to ship; its first line tells why.
	$(BIN)/rarecall export $(RUN) -o $(EXPORTED) || [ $$? = 3 ] || $(BIN)/rarecall export $(RUN) -o $(EXPORTED) --force
	$(BIN)/rarecall report $(RUN) -o $(EXPORTED).html
	@echo
	@echo "To look further:"
	@printf '  %-62s%s\n' \
	  "open $(EXPORTED).html in a browser" "the search as a report" \
	  "$(BIN)/rarecall finalists $(RUN)" "the best three on other folds" \
	  "$(BIN)/rarecall diagnose $(RUN)" "why it falls short, what to change" \
	  "less $(EXPORTED)/README.md" "the winner's model card" \
	  "less $(EXPORTED)/experiment.yaml" "its configuration, runnable as it is" \
	  "less experiments/technology_filter.yaml" "the experiment, to copy for your own data"

test: check  ## check, then the tests: first those that may run side by side
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not cluster and not alone"
	$(BIN)/python -m pytest -q -m "alone and not slow and not cluster"

test-cluster: $(INSTALLED)  ## searches on several hosts, made of network namespaces on this machine; as root
	$(BIN)/python -m pytest -q -m cluster --timeout 900 tests/cluster

test-newest:  ## the newest Ray, Optuna, transformers and peft, in an environment of their own: what we rely on in them
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install -q -c constraints.txt torch
	.venv-newest/bin/pip install -q -e ".[dev]"
	.venv-newest/bin/pip install -q -U "ray[default,train,tune]" optuna transformers peft
	.venv-newest/bin/pip list 2>/dev/null | grep -iE "^(ray|optuna|transformers|peft) "
	.venv-newest/bin/python -m pytest -q $(RELIED_ON)

fuzz: $(INSTALLED)  ## 200,000 broken inputs for whatever reads files; some minutes
	$(BIN)/python -X faulthandler -m tests.fuzz

check: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/mypy --no-error-summary

clean:  ## remove .venv, build leftovers and tool caches; data/, runs/ and exported/ stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "rarecall needs Python 3.11 or newer, got $(PYTHON) ($$($(PYTHON) --version 2>&1 | head -1 || true))." >&2; \
	  echo "Name another one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into .venv (once; some minutes, most of them for torch)"
	@$(PYTHON) -m venv .venv
	@# torch by itself first: the largest download, kept when a later one fails.
	@$(BIN)/pip install -q -c constraints.txt torch
	@$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	@touch $@
