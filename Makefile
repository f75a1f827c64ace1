# Everything a person types here. `make help` shows it; a bare machine needs Python 3.11 to 3.13 and make.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
ARGS ?=
# How many tests run side by side; 0 runs them in one process, for a debugger.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt bench live clean

help:  ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16
	@echo '  ARGS="…" is handed on, as in: make test ARGS="-k lost_reply"'

setup: $(STAMP)  ## make .venv from the lock, once

# The stamp is written last, so a set-up that was interrupted is done again.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) .ci/setup.py $(VENV)
	@touch $(STAMP)

run: setup  ## run every scenario on the checkout's staging build
	@$(BIN)/paychaos run checkout:staging $(ARGS)

# A file stays on one worker: what its fixtures start (a PostgreSQL, a live world) is started once.
test: setup  ## run the tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: setup  ## lint, format check, types, layers
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports || status=1; \
	exit $$status

fmt: setup  ## format the code and apply the safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## measure, and print the figures as ratios
	@$(BIN)/python -m tests.bench $(ARGS)

live: setup  ## replay the found bugs against real processes behind Toxiproxy
	@$(BIN)/paychaos doctor
	@test -d runs/latest/failures || $(BIN)/paychaos run checkout:staging --quiet || test $$? = 1
	@$(BIN)/python -m harness.live.agreement runs/latest $(or $(ARGS),--times 3)

clean:  ## remove .venv and what runs and tools left behind
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
