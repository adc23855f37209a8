# make repro, make test: everything else is in `make help`.
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
NAME ?= default
ARGS ?=
CASES ?= 10000
STEPS ?= 20000
PYTHON ?=
PIP = python -m pip install --disable-pip-version-check

export PATH := $(BIN):$(PATH)
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH
unexport PYTHONHOME

.PHONY: help repro suites test fuzz finite messages chaos profile strip publish results lint bench bench-speed deps jupyter lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

repro: $(STAMP) ## run the pipeline: whatever changed since the last run (ARGS=... for dvc repro)
	@test -e .git || dvc config --local core.no_scm true
	zonkey check
	zonkey mend
	dvc repro $(ARGS)

suites: $(STAMP) ## run the heavier measurements of suites/dvc.yaml (ARGS=... for dvc repro)
	zonkey check
	zonkey mend
	dvc repro suites/dvc.yaml $(ARGS)

test: $(STAMP) ## run the tests (ARGS=... for pytest)
	python -m pytest $(ARGS)

fuzz: $(STAMP) ## 10,000 drawn cases for every property in tests/fuzz, and how many ran (CASES=... for another number)
	HYPOTHESIS_PROFILE=long FUZZ_CASES=$(CASES) python -m pytest tests/fuzz --timeout 0 $(ARGS)

finite: $(STAMP) ## 20,000 training steps with begins and existences at their limits (STEPS=... for another number)
	FINITE_STEPS=$(STEPS) python -m pytest tests/model/test_finite.py --timeout 0 --log-cli-level=INFO $(ARGS)

messages: $(STAMP) ## what is said to every bad input that is tested, into build/messages.txt, for somebody to read
	@mkdir -p build && rm -f build/messages.txt
	MESSAGES=$(CURDIR)/build/messages.txt python -m pytest --quiet tests/pipeline/test_bad_*.py tests/data/test_bad_corpora.py $(ARGS)
	@echo "$$(grep -c '^    ' build/messages.txt) sentences in build/messages.txt"

chaos: $(STAMP) ## kill the pipeline at random moments; nothing may be lost (ARGS=--help for the options)
	python -m tests.chaos $(ARGS)

profile: $(STAMP) ## set params.yaml to a profile: make profile NAME=tiny
	zonkey profile $(NAME)

strip: $(STAMP) ## take the outputs out of notebooks/, as they are committed
	zonkey notebooks strip notebooks notebooks

publish: $(STAMP) ## copy what the pipeline made into reports/, without running what it depends on
	zonkey check
	dvc repro --single-item publish

results: $(STAMP) ## write docs/results.md from the published metrics
	zonkey results

lint: $(STAMP) ## ruff, its formatter and mypy
	ruff check .
	ruff format --check .
	mypy

bench: $(STAMP) ## all benchmarks: tables, and build/bench/results.json (ARGS='step encode' for some)
	python -m benchmarks $(ARGS)

bench-speed: $(STAMP) ## training speed in bytes per second
	zonkey speed

deps: $(STAMP) ## write into both dvc.yaml which modules each stage uses, from the imports
	python -m tests.pipeline.stages

jupyter: $(STAMP) ## open the notebooks in JupyterLab
	jupyter lab notebooks

lock: $(STAMP) ## write requirements.lock from what is installed, and requirements.hashes from the package index
	@{ sed -n '/^#/p' requirements.lock; pip freeze --all --exclude-editable | \
	  sed -E 's/\+(cpu|cu[0-9]+)$$//' | grep -v -E '^(appnope|pip|uv|zonkey)\b' | LC_ALL=C sort -f; \
	  sed -n '/^appnope/p' requirements.lock; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
	pip install --quiet uv
	@{ sed -n '/^#/p' requirements.hashes; grep -v -e '^#' -e '^torch==' requirements.lock | uv pip compile - --quiet \
	  --no-deps --universal --python-version 3.11 --generate-hashes --no-header --no-annotate; } > requirements.hashes.new
	mv requirements.hashes.new requirements.hashes

clean: ## remove what can be made again at once: copies of notebooks, caches of tools (no data, no models)
	rm -rf build/notebooks build/ci .pytest_cache .hypothesis .mypy_cache .ruff_cache *.egg-info
	find zonkey tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment, again whenever what it is made from changes: files of known hashes, but for torch, which is
# built for several kinds of machine and brings what its build needs. pip writes into it in place, and the stamp is
# touched last, so an interrupted installation is taken up again.
$(STAMP): pyproject.toml requirements.lock requirements.hashes
	@found=; for python in "$(PYTHON)" python3.11 python3 python; do \
	  if test -n "$$python" && "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	  if test -n "$$python" && test "$$python" = "$(PYTHON)"; then break; fi; \
	done; \
	if test -z "$$found"; then \
	  echo "Zonkey's pinned packages need Python 3.11, and there is none here: install it, or name it with make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	test -x $(VENV)/bin/python || "$$found" -m venv $(VENV)
	sed -n '/^setuptools==/,/[^\\]$$/p' requirements.hashes > $(VENV)/first.txt
	$(PIP) --quiet --no-deps --require-hashes -r $(VENV)/first.txt
	$(PIP) --no-deps --require-hashes --no-build-isolation -r requirements.hashes
	$(PIP) -c requirements.lock torch
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
