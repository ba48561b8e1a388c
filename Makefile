# Two commands are enough: `make demo` and `make test`. Both install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MESSAGE ?= A CRM: customers with name, email and phone; deals with title, amount, stage (lead, won, lost) and a customer
PYTEST_FLAGS ?=

.PHONY: setup machine demo test check bench bench-gate soak lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "appfleet needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing python3-venv"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else echo "Python's venv module is missing. Run: sudo apt-get install -y python3-venv"; exit 1; fi; }
	@echo "installing Python packages into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

machine: setup
	@$(BIN)/appfleet doctor --fix

demo: machine
	@$(BIN)/appfleet status >/dev/null 2>&1 || $(BIN)/appfleet up --detach
	@$(BIN)/appfleet new "$(MESSAGE)"
	@echo
	@echo "It stays up. More: $(BIN)/appfleet new \"…\"   status   open   logs   down"

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/pytest -q tests/style

test: machine check
	@$(BIN)/pytest tests $(PYTEST_FLAGS)

soak: machine
	@$(BIN)/pytest tests -m soak

bench: machine
	@$(BIN)/python -m benchmarks $(if $(JSON),--json $(JSON))

# The corpus of broken apps: what the gate catches, by which check, and what it costs.
bench-gate: machine
	@$(BIN)/python -m benchmarks.gate $(if $(JSON),--json $(JSON))

# Refreshes the pins; needs `uv` (pip install uv).
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --extra dev --no-annotate --no-header --no-emit-index-url pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache
