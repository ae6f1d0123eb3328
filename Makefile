# `make run` and `make test` need nothing but Python 3.10-3.12 and the package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# One more than there are cores, eight at most: many tests wait, for deadlines and for processes.
WORKERS := $(shell cores=$$(nproc); echo $$((cores < 8 ? cores + 1 : 8)))
FAST   := tests/test_layers.py tests/test_docs.py tests/tasks tests/flows/cli \
	$(addprefix tests/modelcore/,config data/encoding data/quality data/sources demo evaluation parallel report store)

.PHONY: run demo setup test test-fast test-long fuzz soak bench lint types lock docs site screenshots clean help

run: $(VENV)/.run        ## set up, then run the demo: from a random model to pass@1 (some ten minutes on two busy cores)
	$(BIN)/mindrail demo

demo: run

setup: $(VENV)/.run      ## set up the virtual environment

test: $(VENV)/.test      ## set up what is missing and pass the tests on every core
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.test ## tests of layers, documents, configuration, tasks and what compiles no network
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(FAST) --ignore tests/tasks/test_predict.py -m "not long and not benchmark and not server and not ranks"

test-long: $(VENV)/.test ## the cases CI leaves out: true model widths, gigabytes, many layouts
	$(BIN)/python -m pytest -m long

fuzz: $(VENV)/.test      ## try changed inputs on every reader, ten minutes each (SECONDS=600 READERS="YAML .ckpt")
	$(BIN)/python -m tests.attacks.fuzz.run --seconds $(or $(SECONDS),600) $(READERS)

soak: $(VENV)/.test      ## let random faults happen to a training on three hosts in namespaces, as root (FAULTS=100)
	$(BIN)/python -m tests.modelcore.cluster.soak --faults $(or $(FAULTS),100)

bench: $(VENV)/.test     ## print every benchmark's table
	$(BIN)/python -m pytest -m benchmark -s

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

$(VENV)/.venv:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 12) or sys.exit("mindrail needs Python 3.10-3.12, not %d.%d: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/.venv
	$(BIN)/pip install -q -r requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.run
	$(BIN)/pip install -q -r requirements-test.lock
	touch $@

lock: | $(VENV)/.venv    ## choose exact versions anew for Python 3.10-3.12 from pyproject.toml
	$(BIN)/pip install -q uv
	.ci/lock $(BIN)/uv

docs: $(VENV)/.run       ## write docs/configuration.md and prefect.yaml anew from schema and configs
	.ci/docs $(BIN)

site: $(VENV)/.test      ## build the site of docs/ in build/site; a dead link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

screenshots: $(VENV)/.test ## take the docs' pictures of the dashboard anew (needs the system's Chromium; some ten minutes)
	$(BIN)/pip install -q 'playwright==1.65.2'
	$(BIN)/python -m tests.flows.service.screenshots

clean:                   ## remove the virtual environment and every cache, not the store
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'
