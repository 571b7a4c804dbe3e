# make up     run Luot: installs into .venv, starts the embedded stores, prints the URL
# make test   run the tests; PYTHON=python3.13 runs them with another Python
# make test-at AT=2028-02-29T23:59:50+07:00  the tests at another time of day: CONTRIBUTING.md
# make quick  while you write, under a minute on two cores: make check and the unit tests. It leaves
#             out property tests (such as test_fold.py, which draws many examples) and everything
#             that starts a server or a browser: contract, integration, chaos, browser, fuzz.
# make fmt    format the code, and fix what the linter can fix
# make check  formatting, lint, types, import rules
# make coverage  how much of services/ the unit and contract tests run; `make test COVERED=1` tells
#             it along with running all tests
# make chaos  ten minutes in which everything breaks, compared with exact books
# make soak   half an hour at half of the highest rate: does anything grow?
# make attack  attack a whole Luot, from one address and from many: what does it do to the others?
# make install-test  follow docs/install.md in a bare Debian 12 (root, debootstrap); ten minutes
# make kube-check  what kube-score says of deploy/kubernetes, warnings included
# make drill  half an hour in which each alert fires for real, and ends
# make compose-test  docker-compose.yml for real, with stand-in images; needs root and dockerd
# make sbom   the parts of the image as CycloneDX, in build/luot.cdx.json
# make navigations  300 mixed navigations in each of three engines: is each view counted once?
# make widget  the browser scripts, from their sources (needs esbuild 0.17.0 or npm)
# make dashboards  those of Grafana, from the code in dashboards/ and the alerts' own limits
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
AT ?= $(shell date -Iseconds)
TEST_ARGS ?= -n 5 --dist loadfile --no-loadscope-reorder
# What runs lint-imports, and no code of services/, is left out.
COVERAGE_ARGS ?= tests/unit tests/contract -m "not hypothesis" --ignore tests/unit/test_rules.py
BENCH_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS ?=
ATTACK_ARGS ?=
DRILL_ARGS ?=
COMPOSE_ARGS ?=

.PHONY: up test test-at quick fmt check coverage chaos soak attack install-test kube-check drill \
	compose-test sbom navigations widget dashboards bench lock clean
.DELETE_ON_ERROR:
# Some containers forbid it: each of hundreds of processes would compile all of Luot again.
unexport PYTHONDONTWRITEBYTECODE

up: $(VENV)/.standalone
	@$(BIN)/luot up $(UP_ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(if $(COVERED),-p tests.covered) $(TEST_ARGS)

test-at: $(VENV)/.dev
	$(BIN)/python -m tests.clock $(AT) $(TEST_ARGS)

navigations: $(VENV)/.dev
	NAVIGATIONS=300 $(BIN)/python -m pytest tests/browser/engines/test_navigations.py --timeout 3600

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
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -p tests.covered $(COVERAGE_ARGS)

chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

soak: $(VENV)/.dev
	$(BIN)/python -m tests.chaos.soak $(SOAK_ARGS)

attack: $(VENV)/.dev
	$(BIN)/python -m tests.attack $(ATTACK_ARGS)

install-test: $(VENV)/.dev
	$(BIN)/python -m tests.install

kube-check: $(VENV)/.dev
	for overlay in small production many; do \
		$(BIN)/kubectl kustomize deploy/kubernetes/overlays/$$overlay | kube-score score - || exit 1; \
	done

drill: $(VENV)/.dev
	$(BIN)/python -m tests.drill $(DRILL_ARGS)

compose-test: $(VENV)/.dev
	$(BIN)/python -m tests.compose $(COMPOSE_ARGS)

# The environment of the image, made as Dockerfile makes it.
IMAGE := build/image
INTO_IMAGE = $(BIN)/python -m pip --python $(IMAGE)/bin/python -q --disable-pip-version-check
sbom: $(VENV)/.dev
	@$(BIN)/python -m venv --clear --without-pip $(IMAGE)
	@$(INTO_IMAGE) install --require-hashes --only-binary :all: -r requirements/service.lock
	@$(INTO_IMAGE) install --no-deps --no-build-isolation .
	@$(INTO_IMAGE) uninstall --yes editables hatchling pathspec pluggy trove-classifiers
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		-o build/luot.cdx.json $(IMAGE)/bin/python
	@rm -r $(IMAGE)
	@echo build/luot.cdx.json

widget: $(VENV)/.dev
	$(BIN)/python -m services.widget.build

dashboards: $(VENV)/.dev
	$(BIN)/python -m dashboards

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

# What the fold in C is compiled from, when Luot is installed.
FOLD := hatch_build.py $(wildcard services/aggregator/kernel/*.[ch] services/aggregator/kernel/build.py)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Luot needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)" >&2; exit 1; }
	@$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || { \
		echo "installing python3-venv"; \
		{ apt-get install -qy python3-venv || { apt-get update -q && apt-get install -qy python3-venv; }; } >/dev/null || \
		{ echo "Python's venv module is missing: run 'sudo apt install python3-venv'" >&2; exit 1; }; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.standalone: requirements/standalone.lock pyproject.toml $(FOLD) | $(BIN)/python
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
	$(LOCK) --group build --extra tracing -c requirements/service.lock -o requirements/tracing.lock
	$(LOCK) --group build --extra standalone --extra tracing --group dev -c requirements/standalone.lock -o requirements/dev.lock

clean:
	rm -rf .venv .venv-* services/aggregator/kernel/libluotfold.so .coverage .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
