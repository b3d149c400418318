# Everything from a fresh clone: `make demo`, `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
STAMPS := $(VENV)/.stamps
VENV_PYTHON := $(BIN)/python
PIP := $(VENV_PYTHON) -m pip --disable-pip-version-check
OUT ?= demo-output
RUN ?= $(OUT)/run
EVENTS ?= 20000
SEED ?= 1
SECONDS_OF_FUZZING ?= 600
INJECTIONS ?= 240
# One process a core, each with one thread: threads that wait for each other on busy
# cores make torch many times slower.
PYTEST_ARGS ?= -n auto --dist loadfile
test: export OMP_NUM_THREADS := 1

# One Qt binding, whatever else may be installed.
export QT_API := pyside6
export PYTEST_QT_API := pyside6

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 28

.PHONY: demo
demo: $(STAMPS)/package $(STAMPS)/system ## install, then simulate, train, analyze and open the window
	$(BIN)/napari-cryodrgn demo --out "$(OUT)"

.PHONY: test
test: lint $(STAMPS)/system ## install, then ruff, mypy and all tests but those of `make upstream`
	@scripts/with_display.sh $(VENV_PYTHON) -m pytest -m "not upstream" $(PYTEST_ARGS)

.PHONY: lint
lint: $(STAMPS)/dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(STAMPS)/dev ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: $(STAMPS)/docs ## make the site of the documentation in docs/_build/html
	$(VENV_PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

.PHONY: pictures
pictures: $(STAMPS)/package $(STAMPS)/system ## take the pictures in docs/images again, the moving one too
	scripts/with_display.sh $(VENV_PYTHON) scripts/make_screenshots.py
	scripts/with_display.sh $(VENV_PYTHON) scripts/make_moving_picture.py

.PHONY: monkey
monkey: $(STAMPS)/package $(STAMPS)/system ## 20,000 random events in the window, on a copy of RUN=folder
	scripts/with_display.sh $(VENV_PYTHON) scripts/monkey "$(RUN)" --events $(EVENTS) --seed $(SEED)

.PHONY: faults
faults: $(STAMPS)/package ## strike commands with INJECTIONS=240 faults: kills, full disks, inputs that go
	$(VENV_PYTHON) scripts/inject_faults.py --injections $(INJECTIONS) --seed $(SEED)

.PHONY: fuzz
fuzz: $(STAMPS)/dev ## give every reader damaged files for SECONDS_OF_FUZZING=600
	$(VENV_PYTHON) scripts/fuzz_readers.py --seconds $(SECONDS_OF_FUZZING)

.PHONY: upstream
upstream: $(STAMPS)/dev $(STAMPS)/system ## install cryoDRGN 4.3.1 beside and test both ways with it
	scripts/setup_upstream.sh
	@scripts/with_display.sh $(VENV_PYTHON) -m pytest -m upstream $(PYTEST_ARGS)

.PHONY: constraints
constraints: $(STAMPS)/dev $(STAMPS)/docs ## pin what is installed in .venv
	$(VENV_PYTHON) scripts/pin_constraints.py

.PHONY: install
install: $(STAMPS)/package ## virtual environment and packages only

.PHONY: clean
clean: ## remove environments, caches and demo output
	rm -rf $(VENV) .venvs build dist docs/_build "$(OUT)" .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find napari_cryodrgn tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. Each step leaves a stamp, so that it runs again only when its inputs change.

$(STAMPS)/venv: scripts/make_venv.sh
	scripts/make_venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/package: $(STAMPS)/venv pyproject.toml constraints.txt
	$(PIP) install --quiet -c constraints.txt -e '.[all,movies,simulate,slurm]'
	@touch $@

$(STAMPS)/dev: $(STAMPS)/package
	$(PIP) install --quiet -c constraints.txt --group dev
	@touch $@

$(STAMPS)/docs: $(STAMPS)/package
	$(PIP) install --quiet -c constraints.txt --group docs
	@touch $@

$(STAMPS)/system: scripts/install_system_libraries.sh | $(STAMPS)/venv
	scripts/install_system_libraries.sh
	@touch $@
