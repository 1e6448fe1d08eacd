# One word each; every target sets up what it needs. README.md says what they are for.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := demo
.DELETE_ON_ERROR:
unexport PYTHONDONTWRITEBYTECODE  # where it is set, each run compiles every module and test anew: 6 s a worker
.PHONY: demo run test on-time on-sqlite on-services check types quick bench nightly future soak browser nginx locks clean

VENV := .venv
FUTURE := $(VENV)/future
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest -q
# Slow tests wait for processes and clocks for half of their time.
WORKERS := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# The locks are made with 3.11, which is what must pass; newer ones are taken when it is missing.
FIND_PYTHON = for p in python3.11 python3.12 python3.13 python3; do \
	  "$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done
INSTALL = $(PY) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps
# On two busy cores a clock may be late for a test of real processes: what failed among others is run once more by
# itself. What is wrong fails there too.
ALONE = --last-failed --last-failed-no-failures none
# The services that the tests are to use are started by the tests; what the shell has set is not meant.
OWN_SERVICES := env -u DATABASE_URL -u REDIS_URL
QUICK := $(OWN_SERVICES) $(PYTEST) -m "not slow" --hypothesis-profile brief
# Those that measure how late something is have the processors first.
ON_TIME := $(OWN_SERVICES) $(PYTEST) -m punctual -o cache_dir=.pytest_cache/on-time
ON_SQLITE := nice -n 5 $(OWN_SERVICES) $(PYTEST) -m "not punctual"
ON_SERVICES := nice -n 5 $(PY) -m tests.services $(PYTEST) -m "database or layer" -o cache_dir=.pytest_cache/services \
  $(if $(NIGHTLY),,--hypothesis-profile brief)

demo: $(VENV)/.installed $(VENV)/.speech
	@$(PY) manage.py demo

run: $(VENV)/.installed $(VENV)/.speech
	@$(PY) manage.py stack

# The types are looked at while the tests run: one after the other they leave a processor idle.
check: $(VENV)/.installed
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(MAKE) --no-print-directory -j2 --output-sync=target types quick

types: $(VENV)/.installed
	@$(PY) -m mypy courier shipments voice tests manage.py
	@$(OWN_SERVICES) $(PY) manage.py makemigrations --check --dry-run

quick: $(VENV)/.installed
	@$(QUICK) -n auto || { echo "Once more, alone:"; $(QUICK) $(ALONE); }

# All at once: what one waits for the others can use.
test: $(VENV)/.installed $(VENV)/.speech
	@rm -f $(VENV)/.again-*
	@$(MAKE) --no-print-directory -j3 on-time on-sqlite on-services
	@[ ! -e $(VENV)/.again-on-time ] || { echo "Once more, alone:"; $(ON_TIME) $(ALONE); }
	@[ ! -e $(VENV)/.again-sqlite ] || { echo "Once more, alone:"; $(ON_SQLITE) $(ALONE); }
	@[ ! -e $(VENV)/.again-services ] || { echo "Once more, alone, on PostgreSQL and Valkey:"; $(ON_SERVICES) $(ALONE); }

on-sqlite: $(VENV)/.installed
	@echo "The tests, on SQLite and the in-memory layer"
	@$(ON_SQLITE) -n $(WORKERS) --dist loadgroup || { [ $$? -eq 1 ] && touch $(VENV)/.again-sqlite; }

on-time: $(VENV)/.installed
	@code=0; $(ON_TIME) >$(VENV)/on-time.log 2>&1 || code=$$?; \
	echo; echo "Those that measure how late something is"; cat $(VENV)/on-time.log; \
	[ $$code -eq 0 ] || { [ $$code -eq 1 ] && touch $(VENV)/.again-on-time; }

on-services: $(VENV)/.installed
	@code=0; $(ON_SERVICES) -n auto --dist loadgroup >$(VENV)/services.log 2>&1 || code=$$?; \
	echo; echo "Those of the database and the layer again, on PostgreSQL and Valkey"; cat $(VENV)/services.log; \
	[ $$code -eq 0 ] || { [ $$code -eq 1 ] && touch $(VENV)/.again-services; }

bench: $(VENV)/.installed
	@$(PY) -m tests.benchmarks

# With all soaks and large counts whole.
nightly:
	@NIGHTLY=1 PYTEST_ADDOPTS="$${PYTEST_ADDOPTS:-} --durations 20" $(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory future

# The quick tests on Python 3.13 and Django 6.1, with the newest of all else: what we are to move to.
# The warning is about unfold's own code.
future:
	@python=$$(for p in python3.13 "$$HOME"/.pyenv/versions/3.13*/bin/python3.13; do \
	  "$$p" -c 'import ensurepip' >/dev/null 2>&1 && { echo "$$p"; break; }; done || true); \
	if [ -z "$$python" ]; then echo "Python 3.13 is not here: nothing was tried on it"; exit 0; fi; \
	[ -x $(FUTURE)/bin/python ] || "$$python" -m venv $(FUTURE); \
	$(FUTURE)/bin/python -m pip install -qq --disable-pip-version-check ".[dev]" "django>=6.1,<6.2"; \
	$(OWN_SERVICES) $(FUTURE)/bin/python -m pytest -q -n auto -m "not slow" -W "ignore:Overriding get_action_choices"

# Twenty calls with a fault every five seconds: make soak MINUTES=30; SERVICES=1 on PostgreSQL and Valkey
soak: $(VENV)/.installed
	@$(if $(SERVICES),SOAK_MINUTES=$(or $(MINUTES),3) $(PY) -m tests.services,$(OWN_SERVICES) SOAK_MINUTES=$(or $(MINUTES),3)) $(PYTEST) tests/faults/test_soak.py --log-level=WARNING -rP

# Chromium for the tests that click; without it they are left out, so no failure here is final.
browser:
	@if command -v chromium >/dev/null; then echo "Chromium is installed"; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "Chromium is not installed, which takes root and apt: the tests in a browser are left out"; \
	elif apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium \
	  >/dev/null; then echo "Chromium was installed"; \
	else echo "Chromium could not be installed: the tests in a browser are left out"; fi

# Debian's nginx for the test of deploy/nginx.conf: unpacked and not installed, which would start it on port 80.
nginx: $(VENV)/.installed
	@if PATH="$$PATH:/usr/sbin:$(VENV)/nginx/usr/sbin" command -v nginx >/dev/null; then echo "nginx is here"; \
	elif mkdir -p $(VENV)/nginx && cd $(VENV)/nginx && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } \
	  && apt-get download -qq nginx 2>apt.log && dpkg-deb -x nginx_*.deb .; then echo "nginx was fetched"; \
	else echo "nginx is not here and apt has none for us: the tests behind it are left out"; fi

# One resolution for all three, so that no two disagree; without the address of any index.
locks: $(VENV)/.installed
	@compile="$(VENV)/bin/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options pyproject.toml"; \
	$$compile --extra dev --extra postgres -o requirements/dev.lock; \
	$$compile --extra postgres -c requirements/dev.lock -o requirements/runtime.lock; \
	$$compile --extra offline-voice -c requirements/dev.lock -o requirements/offline-voice.lock

clean:
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info db.sqlite3*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements/dev.lock
	@python=$$($(FIND_PYTHON)); \
	[ -n "$$python" ] || { echo "Python 3.11 or newer with venv is needed" >&2; exit 1; }; \
	[ -x $(PY) ] || "$$python" -m venv $(VENV)
	@echo "Installing what is locked in $<"
	@$(INSTALL) -r $<
	@touch $@

# No failure here is final: without the speech packages the demo says so and beeps.
$(VENV)/.speech: requirements/offline-voice.lock $(VENV)/.installed
	@echo "Installing what is locked in $<"
	@if $(INSTALL) -r $< 2>$(VENV)/speech.log; then touch $@; else \
	  echo "The speech packages could not be installed; see $(VENV)/speech.log"; fi
