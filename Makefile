# gridsim: `make run` simulates the built-in year, `make test` runs the tests. Both set up .venv first.
# They use nothing of what is installed but make and Python 3.11 to 3.13 (with venv).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Settings of the shell or of pip's own files must not leak into .venv.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
unexport PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1
# One thread of linear algebra in each process, as the command line has it.
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
# Memory in huge pages, where Linux has them: small ones are slow on some virtual machines (docs/faq.md).
GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
PYTHONMALLOC ?= malloc
export GLIBC_TUNABLES PYTHONMALLOC
# Quiet twice: setuptools warns at length of folders of an editable installation. Errors are shown all the same.
# Byte code is made of what is used, when it is used: that of all packages takes half of the time.
PIP_INSTALL := -m pip install --quiet --quiet --no-compile

VENV := .venv
BIN := $(VENV)/bin
PROJECT := pyproject.toml setup.py
CODE := src kernels networks profiles tests bench tools setup.py
SCENARIO ?= jiangsu-2024
RESULTS ?= results/$(SCENARIO).h5
BENCH ?= results/bench
BENCH_ARGS ?=
PYTEST_ARGS ?=

.PHONY: help run test test-slow lint types docs bench clean

help:
	@echo "make run        simulate $(SCENARIO): $(RESULTS), and a page beside it"
	@echo "make test       run the tests"
	@echo "make test-slow  those left out of them: larger random grids, more kinds of stops"
	@echo "make lint       ruff: style and formatting"
	@echo "make types      mypy"
	@echo "make docs       build the documentation: site/index.html"
	@echo "make bench      measure beside HiGHS: $(BENCH)"
	@echo "make clean      remove .venv, caches and builds; results stay"

run: $(VENV)/.run-stamp
	$(BIN)/gridsim run $(SCENARIO) -o $(RESULTS) --force --report

test: $(VENV)/.dev-stamp
	$(BIN)/python tools/link_view.py
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: $(VENV)/.dev-stamp
	$(BIN)/python tools/link_view.py
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: $(VENV)/.dev-stamp
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(VENV)/.dev-stamp
	$(BIN)/python tools/link_view.py
	$(BIN)/mypy

docs: $(VENV)/.dev-stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

bench: $(VENV)/.dev-stamp
	$(BIN)/python bench/run.py $(BENCH) --date $$(date +%F) $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .view build dist site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find src kernels networks profiles tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that is named on the path may still not run (a shim of pyenv), or lack venv (Debian's python3).
$(VENV)/.made-stamp:
	@for python in python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "$$($$python --version) in $(VENV)"; \
	    rm -rf $(VENV); $$python -m venv $(VENV); $(BIN)/python -m pip install --quiet --upgrade pip; touch $@; exit 0; \
	  fi; \
	done; \
	echo "gridsim needs Python 3.11, 3.12 or 3.13 with venv: none found on the path" >&2; \
	echo "(Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3)" >&2; exit 1

$(VENV)/.run-stamp: $(VENV)/.made-stamp $(PROJECT)
	$(BIN)/python $(PIP_INSTALL) -e .
	touch $@

$(VENV)/.dev-stamp: $(VENV)/.made-stamp $(PROJECT)
	$(BIN)/python $(PIP_INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.run-stamp
