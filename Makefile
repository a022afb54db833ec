# Each target does its own set-up: a virtual environment, the locked dependencies, this checkout installed into it.
# It needs make, a POSIX shell and Python 3.11 or newer.   make PYTHON=/path/to/python3 test   picks the Python.

SHELL := /bin/sh
VENV ?= .venv
PYTHON ?=
UV ?= uv
NAME ?=
ARGS ?=

BIN := $(VENV)/bin
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)# an environment names its folder: a moved checkout gets a new one
LOCKED := $(VENV)/.locked-$(HERE)
READY := $(VENV)/.ready-$(HERE)
PEERS := .venv-peers/.tried-$(HERE)
CHECKED := ticktree tests $(wildcard examples benchmarks docs/generate)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all cover lint format docs bench bench-compare performance peers soak mutants lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## only the set-up

demo: $(READY) ## exchanges, venues and strategies on this machine; a feed dies and comes back
	@$(BIN)/ticktree demo $(ARGS)

# What Python has compiled is kept, also where the environment says no: tests start hundreds of processes.
test cover soak: export PYTHONDONTWRITEBYTECODE :=

test: $(READY) ## the tests (ARGS="-k mailbox -x")
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

cover: $(READY) ## the tests, with branch coverage; a third slower
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term $(ARGS)

lint: $(READY) ## style, types and the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(CHECKED)
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: $(READY) ## let ruff write what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## the documentation as a site, in site/: open site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict && echo site/index.html

bench: $(READY) $(PEERS) ## the benchmarks, or one: NAME=...
	@$(BIN)/python -m benchmarks $(NAME) --json bench.jsonl $(ARGS)

peers: $(LOCKED) ## make anew what benchmarks hold us against, in an environment of its own
	@rm -f .venv-peers/.tried-*
	@$(MAKE) --no-print-directory $(PEERS)

bench-compare: $(READY) ## what got worse since the last release, beyond the spread (ARGS="OLD.jsonl NEW.jsonl")
	@$(BIN)/python -m benchmarks.compare $(ARGS)

performance: $(READY) ## keep bench.jsonl as this version's figures, and write docs/performance.md from it
	@$(BIN)/python -m benchmarks.page bench.jsonl --keep

soak: $(READY) ## campaigns of full size; they write soak.json
	@$(BIN)/python -m pytest -m soak $(ARGS)

mutants: $(READY) ## one defect at a time in routing/, and whether the tests notice (NAME=...)
	@$(BIN)/python -m tests.mutants $(NAME)

# "PYTHONS" may name the interpreters; else every supported Python found on PATH or in pyenv's folder.
test-all: ## the tests on every supported Python found here (PYTHONS="python3.12 /path/to/python3.13")
	@for minor in 3.11 3.12 3.13; do \
	  for python in $(or $(PYTHONS),python$$minor "$$HOME"/.pyenv/versions/$$minor.*/bin/python3); do \
	    found=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	    [ "$$found" = "$$minor" ] || continue; \
	    echo "== Python $$minor: $$python"; \
	    $(MAKE) --no-print-directory test VENV=.venv-$$minor PYTHON="$$python" || exit 1; \
	    continue 2; \
	  done; \
	  echo "== Python $$minor: not found, not tested"; \
	done

lock: ## resolve the dependencies anew into requirements.lock (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv" >&2; exit 1; }
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade \
	  --custom-compile-command "make lock" --all-extras --group dev pyproject.toml --output-file requirements.lock

clean: ## remove environments, caches and built files
	rm -rf .venv .venv-* build dist site ./*.egg-info .coverage .coverage.* htmlcov soak.json bench.jsonl
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(LOCKED): requirements.lock
	@rm -f $(VENV)/.locked-* $(VENV)/.ready-*
	@[ -n "$(PYTHON)" ] && set -- "$(PYTHON)" || set -- python3 python3.13 python3.12 python3.11; \
	for python in "$$@"; do \
	  if "$$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "creating $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
	    echo "$$python could not create a virtual environment (on Debian and Ubuntu: apt install python3-venv)" >&2; \
	    exit 1; \
	  fi; \
	done; \
	found=$$("$$1" --version 2>/dev/null) || found="not found"; \
	echo "ticktree needs Python 3.11 or newer; $$1 is $$found" >&2; \
	echo "name another one: make PYTHON=/path/to/python3 ..." >&2; \
	exit 1
	@echo "installing the locked packages (the first time this takes a minute)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@echo "installing ticktree"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Python 3.13 has all peers, 3.12 all but one. What cannot be had is left out, and its benchmarks say so: they run without
# any of it.
$(PEERS): benchmarks/peers/programs/requirements.txt | $(LOCKED)
	@mkdir -p .venv-peers
	@for python in python3.13 "$$HOME"/.pyenv/versions/3.13.*/bin/python3 \
	  python3.12 "$$HOME"/.pyenv/versions/3.12.*/bin/python3 $(BIN)/python; do \
	  "$$python" -c 'import venv' 2>/dev/null || continue; \
	  echo "making .venv-peers with $$("$$python" --version): what benchmarks hold us against (a minute or two, once)"; \
	  "$$python" -m venv --clear .venv-peers && break; \
	done
	@grep '^[a-z]' benchmarks/peers/programs/requirements.txt | while read -r peer; do \
	  .venv-peers/bin/python -m pip install -qq --disable-pip-version-check "$$peer" \
	    </dev/null >.venv-peers/log 2>&1 || echo "without $$peer: $$(tail -n 1 .venv-peers/log)"; \
	done
	@touch $@
