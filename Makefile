# make up     run Luot: installs into .venv, starts the embedded stores, prints the URL
# make test   pass the tests; PYTHON=python3.13 passes them with another Python
# make quick  while you write, under a minute on two cores: make check and the unit tests. It leaves
#             out property tests (such as test_fold.py, which draws many examples) and everything
#             that starts a server or a browser: contract, integration, chaos, browser, fuzz.
# make fmt    format the code, and fix what the linter can fix
# make check  formatting, lint, types, import rules
# make coverage  how much of services/ the unit and contract tests run
# make chaos  ten minutes in which everything breaks, compared with exact books
# make soak   half an hour at half of the highest rate: does anything grow?
# make attack  attack a whole Luot from one address: what does it do to everybody else?
# make widget  the browser scripts, from their sources (needs esbuild 0.17.0 or npm)
# make bench  the benchmarks
# make lock   pin the dependencies again, after a change of pyproject.toml

PYTHON ?= python3
VENV := .venv
# A Python that is asked for by name has a folder of its own where .venv is that of another.
ifneq ($(origin PYTHON), file)
VERSION = import sys; print("%d.%d" % sys.version_info[:2])
MADE_WITH := $(shell .venv/bin/python -c '$(VERSION)' 2>/dev/null)
ASKED_FOR := $(shell $(PYTHON) -c '$(VERSION)')
ifneq ($(MADE_WITH), $(ASKED_FOR))
ifneq ($(MADE_WITH),)
VENV := .venv-$(ASKED_FOR)
endif
endif
endif
BIN := $(VENV)/bin
UP_ARGS ?=
TEST_ARGS ?= -n 2 --dist loadfile
COVERAGE_ARGS ?= tests/unit tests/contract -m "not hypothesis"
BENCH_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS ?=
ATTACK_ARGS ?=

.PHONY: up test quick fmt check coverage chaos soak attack widget bench lock clean
.DELETE_ON_ERROR:

up: $(VENV)/.standalone
	@$(BIN)/luot up $(UP_ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(TEST_ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

quick: check
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not hypothesis" tests/unit

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

coverage: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --cov --cov-report= $(COVERAGE_ARGS)
	@echo "coverage of services/ by these tests: $$($(BIN)/coverage report --format=total)%"

chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

soak: $(VENV)/.dev
	$(BIN)/python -m tests.chaos.soak $(SOAK_ARGS)

attack: $(VENV)/.dev
	$(BIN)/python -m tests.attack $(ATTACK_ARGS)

widget: $(VENV)/.dev
	$(BIN)/python -m services.widget.build

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Luot needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)" >&2; exit 1; }
	@$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || { \
		echo "installing python3-venv"; \
		{ apt-get install -qy python3-venv || { apt-get update -q && apt-get install -qy python3-venv; }; } >/dev/null || \
		{ echo "Python's venv module is missing: run 'sudo apt install python3-venv'" >&2; exit 1; }; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.standalone: requirements/standalone.lock pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) (once; about a minute)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.standalone
	@echo "installing the test tools into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

LOCK = uv pip compile pyproject.toml -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock:
	$(LOCK) --group build -o requirements/service.lock
	$(LOCK) --group build --extra standalone -c requirements/service.lock -o requirements/standalone.lock
	$(LOCK) --group build --extra standalone --group dev -c requirements/standalone.lock -o requirements/dev.lock

clean:
	rm -rf .venv .venv-* .coverage .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
