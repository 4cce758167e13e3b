# make demo · make test · make check · make bench · make clean
# Everything lives in .venv; nothing outside this folder is touched.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/installed
	$(BIN)/aspa demo

test: .venv/developing
	$(BIN)/pytest

check: .venv/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m api.web.translations
	$(BIN)/pytest tests/test_docs.py

bench: .venv/developing
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis bench.json

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Nettiaspa needs Python 3.11 or newer: run 'make PYTHON=/path/to/python3.11'."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "Python cannot make a virtual environment: on Debian run 'apt-get install python3-venv'."; exit 1; }

.venv/installed: pyproject.toml constraints.txt | .venv/bin/pip
	$(BIN)/pip install --quiet --progress-bar on --constraint constraints.txt --editable .
	@touch $@

.venv/developing: .venv/installed
	$(BIN)/pip install --quiet --progress-bar on --constraint constraints.txt --editable '.[dev]'
	@touch $@
