# `make help` lists the targets. The first one installs what it needs into .venv; a second run costs nothing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

ARGS ?=
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(VENV)/bin/uv
# Tools that import the project find it here; manage.py and pytest know the way themselves.
export PYTHONPATH := platform:.:trainers/sdk
# Compiled modules are kept: without them a program compiles all it imports, half of what loading costs.
unexport PYTHONDONTWRITEBYTECODE
# Checks load the settings, which make secrets: in a home that is thrown away.
THROWAWAY := home=$$(mktemp -d) && chmod 711 $$home && trap 'rm -rf $$home' EXIT && export MODELYARD_HOME=$$home
# Full counts of what `make test` holds a short version of.
RESILIENCE_ROUNDS ?= 5

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: install assets ## install, start everything, train on a small data set, print URL and sign-in (ARGS=--exit stops then)
	$(PYTHON) manage.py demo $(ARGS)

.PHONY: up
up: install assets ## start the portal; Ctrl-C stops it (ARGS="--host 0.0.0.0 --port 8000")
	$(PYTHON) manage.py up $(ARGS)

.PHONY: admin
admin: install ## create an administrator of the running portal, for /admin/ (asks for address and password)
	$(PYTHON) manage.py createsuperuser $(ARGS)

.PHONY: doctor
doctor: install ## look at every part of the portal and say what to do
	$(PYTHON) manage.py doctor $(ARGS)

# Twice the two cores that they are meant for: a test that waits for a process leaves its core to another.
WORKERS = 4

.PHONY: test
test: install-dev assets chromium compiled ## install and run all tests (ARGS="-k name" narrows them)
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not benchmark" $(ARGS)

.PHONY: journeys
journeys: install-dev assets chromium compiled ## journeys in the browser in both languages, of which `make test` takes one each
	MODELYARD_JOURNEYS_FULL=1 $(PYTHON) -m pytest -m e2e tests/e2e $(ARGS)

.PHONY: compiled
compiled: install ## catalogues of messages in the form that the portal reads
	@$(THROWAWAY) && $(PYTHON) manage.py compile_messages

.PHONY: coverage
coverage: install-dev assets chromium compiled ## run all tests and fail below 85 % coverage
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not benchmark" --cov --cov-report=term --cov-fail-under=85 $(ARGS)

.PHONY: resilience
resilience: install-dev assets ## kill every kind of process at random moments of a job, in full count
	MODELYARD_RESILIENCE_ROUNDS=$(RESILIENCE_ROUNDS) $(PYTHON) -m pytest -o faulthandler_timeout=0 -m resilience tests/resilience $(ARGS)

# MODELYARD_FUZZ_SECONDS is the time that inputs which follow coverage get in all: ten minutes when it is not set.
.PHONY: security
security: install-dev assets ## tenancy matrix, bad input, fuzzing and static analysis, in full count
	$(PYTHON) -m bandit -q -c pyproject.toml --severity-level medium -r apps platform readers trainers
	# 3: nothing new, lines have moved. The hook writes them into the copy.
	baseline=$$(mktemp) && trap 'rm -f $$baseline' EXIT && cp .secrets.baseline $$baseline && \
	git ls-files -z | xargs -0 sh -c '$(VENV)/bin/detect-secrets-hook --baseline $$0 "$$@" || test $$? = 3' $$baseline
	MODELYARD_SECURITY_FULL=1 $(PYTHON) -m pytest -n 2 --dist worksteal -o faulthandler_timeout=0 -p tests.security.report -m security tests $(ARGS)

.PHONY: bench
bench: install-dev assets ## measure, side by side with MLflow's own server and bare trainers
	$(PYTHON) -m pytest -o faulthandler_timeout=0 -m benchmark -s tests/benchmarks $(ARGS)

.PHONY: lint
lint: install-dev ## style, types, layers, templates and house rules
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(VENV)/bin/lint-imports --cache-dir .import_linter_cache
	$(THROWAWAY) && $(PYTHON) -m mypy
	git ls-files -z 'templates/*.html' | xargs -0 --no-run-if-empty $(VENV)/bin/djhtml --tabwidth 2 --check
	$(PYTHON) -m pytest -q tests/architecture

.PHONY: format
format: install-dev ## format Python and templates, and mend what can be mended
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
	git ls-files -z 'templates/*.html' | xargs -0 --no-run-if-empty $(VENV)/bin/djhtml --tabwidth 2

.PHONY: messages
messages: install ## collect texts to translate into locale/, and compile them
	$(THROWAWAY) && $(PYTHON) manage.py collect_messages

.PHONY: lock
lock: $(UV) ## resolve the .in files anew: all platforms, with hashes
	for name in requirements requirements-dev tests/security/fuzzing/requirements; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$name.in -o $$name.txt; done
	for name in requirements-bootstrap requirements-node; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" -c requirements.txt $$name.in -o $$name.txt; done
	npm install --package-lock-only

.PHONY: install
install: $(VENV)/.installed ## what the portal needs to run

.PHONY: install-dev
install-dev: $(VENV)/.installed-dev ## what tests and linters need beside it

.PHONY: assets
assets: static/vendor/icons.svg ## style sheets, scripts, fonts and icons from npm

$(UV): requirements-bootstrap.txt
	@echo "installing into $(VENV): the first time takes some minutes"
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	touch $@

# Who has installed the tools for tests keeps them.
$(VENV)/.installed: requirements.txt $(UV)
	name=requirements.txt; test ! -e $(VENV)/.installed-dev || name=requirements-dev.txt; \
	$(UV) pip sync --quiet --python $(PYTHON) --require-hashes $$name
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(UV)
	$(UV) pip sync --quiet --python $(PYTHON) --require-hashes requirements-dev.txt
	touch $@ $(VENV)/.installed

# node and npm: those on the path, else a copy of our own below .venv.
static/vendor/icons.svg: package-lock.json static/vendor.json static/icons.json scripts/vendor_assets.py | $(VENV)/.installed
	if ! command -v npm >/dev/null; then \
	  test -x $(VENV)/node/bin/npm || { \
	    $(UV) venv --quiet $(VENV)/node && \
	    $(UV) pip install --quiet --python $(VENV)/node/bin/python --require-hashes -r requirements-node.txt; }; \
	  export PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH"; \
	fi; \
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	$(PYTHON) scripts/vendor_assets.py

.PHONY: chromium
chromium: ## a browser for the browser tests
	@if [ -n "$${MODELYARD_CHROMIUM:-}" ]; then test -x "$$MODELYARD_CHROMIUM"; \
	elif ! command -v chromium-headless-shell >/dev/null && ! command -v chromium >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium-headless-shell fonts-noto-cjk; \
	  else \
	    echo "The browser tests need Chromium: install the packages chromium-headless-shell and fonts-noto-cjk," \
	      "or set MODELYARD_CHROMIUM to the path of a Chromium or Chrome program." >&2; exit 1; \
	  fi; \
	fi
