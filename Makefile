# `make book` and `make test` each work alone on a fresh machine with Python 3.11 or newer.
PROFILE ?= quick
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
CORES   ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
UV      := uv==0.13.9

# A machine that offers wheels through pip's own find-links offers them to uv too.
export UV_FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export PATH := $(CURDIR)/$(BIN):$(PATH)
export NO_ALBUMENTATIONS_UPDATE := 1
# Beside the build, since a home folder may be read-only.
export MPLCONFIGDIR := $(CURDIR)/build/home/matplotlib
export IPYTHONDIR := $(CURDIR)/build/home/ipython

# Notebooks are compared cell by cell, except those that read what a training in another one wrote: a trained model is
# the same bit by bit on one machine, not on another, so that these must run and only their marked cells are compared.
# The two that train come first, one on each core.
# Two processes of one thread each are faster than one of two.
PYTEST   = $(BIN)/python -m pytest
PARALLEL = -n $(CORES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
NBVAL    = --nbval-current-env --nbval-cell-timeout=1800 -p no:cacheprovider
STORED   = $(BIN)/icsi study order --training

.DEFAULT_GOAL := help
.PHONY: help book test lab notebooks lint clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo "PROFILE=quick|standard|paper chooses the scale (now: $(PROFILE)); TORCH_BACKEND=auto picks a smaller torch."

# uv installs and leaves again: nothing else needs it.
define install
	$(BIN)/python -m pip install --quiet "$(UV)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(if $(TORCH_BACKEND),--torch-backend=$(TORCH_BACKEND)) $(1)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m pip uninstall --quiet --yes uv
	touch $@
endef

$(VENV)/.ready: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call install,-r requirements.txt)

$(VENV)/.tools: requirements-dev.txt $(VENV)/.ready
	$(call install,-r requirements.txt -r requirements-dev.txt)

book: $(VENV)/.ready ## run the study and build the book; prints the page to open
	$(BIN)/icsi study all --profile $(PROFILE) --cores $(CORES)
	@echo "Open build/$(PROFILE)/html/index.html in a browser."

test: $(VENV)/.tools lint ## lint, types, unit tests, and every notebook against its stored outputs
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL) -rs --doctest-modules tests icsilib
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL) $(NBVAL) --nbval $$($(STORED) own) $$($(STORED) none)
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL) $(NBVAL) --nbval-lax $$($(STORED) earlier)

lint: $(VENV)/.tools ## style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: $(VENV)/.tools ## open the notebooks in JupyterLab
	cd notebooks && ../$(BIN)/jupyter lab

notebooks: $(VENV)/.ready ## run every notebook with its defaults and store the outputs
	$(BIN)/icsi study refresh

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build
