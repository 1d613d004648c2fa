# Everything lands in .venv. `make demo` and `make test` need nothing but Python 3.10 or newer.
# Another interpreter: make setup PYTHON=python3.12
PYTHON ?= python3
PYTEST_ARGS ?= -n auto --maxprocesses 8 --dist worksteal

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test docs runtime dist reliability lint format clean

help:
	@echo "make setup    install the package and its tools into .venv"
	@echo "make demo     pre-train, recognize and write a report, on made-up motion"
	@echo "make test     run the tests"
	@echo "make docs     the documentation as a site, into site/"
	@echo "make runtime  build the wheel of hitrs-runtime, the package without PyTorch, into dist/"
	@echo "make dist     build wheels and sdists of both packages into dist/, and try the wheels in new environments"
	@echo "make reliability   spoil, kill and starve it for hours; prints the table of docs/reliability.md"
	@echo "make lint     check style, format and types"
	@echo "make format   repair style and format"
	@echo "make clean    remove caches and build products (not .venv, runs or stores)"

setup: $(READY)

# The version of the package is read from __init__.py only while building, hence not a prerequisite.
$(READY): pyproject.toml constraints/dev.txt
	$(BIN)/python -c "" 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints/dev.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/hitrs demo

test: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

docs: setup
	$(BIN)/python docs/site/build.py site

runtime: setup
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist ./runtime

dist: setup
	$(BIN)/python tests/distributions.py build
	$(BIN)/python tests/distributions.py test

reliability: setup
	$(BIN)/python tests/reliability all

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
