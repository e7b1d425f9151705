# Needs only python3 (3.11 or newer, with venv) and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
LOCKS := .ci/requirements
PIP_TOOLS := pip-tools==7.6.2
DEMO := upstream celery clients otlp server sqlite
DEV := $(DEMO) postgres dev
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-user --quiet --require-hashes
COMPILE = CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet $(if $(UPGRADE),--upgrade) \
  --generate-hashes --strip-extras

.DEFAULT_GOAL := help
.PHONY: help demo generate test test-slow test-postgres matrix bench lint types layers check lock clean

help: ## Show what there is.
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 22

demo: .venv/.demo ## Run the product on 127.0.0.1:8000 and feed it (ONCE=1 ends by itself; PORT=, ROWS=).
	$(BIN)/python -m upstream.demo

test: .venv/.dev ## Run the tests (ARGS= for pytest).
	$(BIN)/python -m pytest $(ARGS)

test-slow: .venv/.dev ## Run the tests that take minutes.
	$(BIN)/python -m pytest -m slow $(ARGS)

test-postgres: .venv/.dev ## Run the tests that ask a database on PostgreSQL: psycopg 3, psycopg2, a pool; takes minutes.
	$(BIN)/python -m telemetry.tests.postgres $(ARGS)

matrix: .venv/.dev ## Run the tests on every Python and Django that can be had (ARGS= to choose); takes long.
	$(BIN)/python -m telemetry.tests.matrix $(ARGS)

bench: .venv/.dev ## Measure what the layer costs, beside django-prometheus and stock OpenTelemetry (ARGS= for scenes).
	$(BIN)/python -m telemetry.benchmarks --check $(ARGS)

lint: .venv/.dev ## Check style.
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.dev ## Check types.
	$(BIN)/mypy

layers: .venv/.dev ## Check who imports whom.
	$(BIN)/lint-imports

check: lint types layers test ## All of the above but what takes minutes.

generate: .venv/.dev ## Write the metrics page's tables and the dashboards from the catalogue.
	$(BIN)/python manage.py telemetry_generate

# The pins in the files are kept; UPGRADE=1 takes the newest versions that pyproject.toml allows.
lock: $(BIN)/python ## Write the pinned, hashed requirement files anew.
	$(INSTALL:--require-hashes=) '$(PIP_TOOLS)'
	$(COMPILE) $(DEMO:%=--extra %) --output-file $(LOCKS)/demo.txt pyproject.toml
	$(COMPILE) $(DEV:%=--extra %) --output-file $(LOCKS)/dev.txt --constraint $(LOCKS)/demo.txt pyproject.toml
# The lines of options say where this machine's packages came from: that is nobody else's business.
	for lock in $(LOCKS)/*.txt; do grep -v '^--' $$lock >$$lock.new && mv $$lock.new $$lock; done

clean: ## Remove what make made: .venv, caches, the demo's data.
	rm -rf .venv .matrix .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info var/demo

.venv/.%: $(LOCKS)/%.txt | $(BIN)/python
	$(INSTALL) --requirement $<
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): not found; install Python 3.11 or newer, or make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}; 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
