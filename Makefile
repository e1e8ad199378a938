# Everything a person or CI runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
ARGS ?=
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# TORCH=cpu or TORCH=cuda; by default what the machine has.
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help run test check format bench-env bench test-long clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1: \2/p' Makefile

# On ordinary Linux the plain torch package is the CUDA build, gigabytes of it: without a GPU the CPU build is asked
# for first. Where its index cannot be reached the plain package is taken all the same.
$(VENV)/torch-$(TORCH)-$(TORCH_VERSION):
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install Python 3.11 or newer"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch $(TORCH_VERSION) ($(TORCH)) ..."
	@if [ $(TORCH) = cpu ] && [ "$$(uname -s)" = Linux ]; then \
		$(PIP) --no-deps --retries 1 --timeout 30 torch==$(TORCH_VERSION) --extra-index-url $(TORCH_CPU_INDEX); \
	else \
		$(PIP) torch==$(TORCH_VERSION) -c constraints.txt; \
	fi
	@touch $@

$(VENV)/run: $(VENV)/torch-$(TORCH)-$(TORCH_VERSION) pyproject.toml constraints.txt
	@echo "Installing Touchline ..."
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/test: $(VENV)/run
	@echo "Installing what the tests need ..."
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

run: $(VENV)/run ## serve on http://127.0.0.1:8000 with a worker, and the demo if there is no dataset
	@exec $(BIN)/touchline serve --demo --port $(PORT) $(ARGS)

check: $(VENV)/test ## lint, formatting, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/test ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: check ## every check and every test
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

test-long: check ## the same, with the crash tests a hundred times over
	TOUCHLINE_LONG=1 $(BIN)/python -m pytest $(ARGS)

$(VENV)/bench: $(VENV)/run
	@$(PIP) -c constraints.txt -e '.[bench]'
	@touch $@

bench-env: $(VENV)/bench ## what `touchline bench` needs; its browser is chromium on the PATH, or Playwright's own

bench: bench-env ## measure scanning on this machine
	$(BIN)/touchline bench scan --write BENCHMARKS.md $(ARGS)

clean: ## remove the environment, not your data
	rm -rf $(VENV)
