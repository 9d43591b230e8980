# `make demo` and `make test` need nothing but Python 3.11 or later; PYTHON names another one.
# `make bench` wants a quiet machine for 40 minutes; with OUT=NAME it also writes
# benchmarks/results/NAME.md.
PYTHON ?= python3
VENV ?= .venv
STORE ?= ablate-store
BIN := $(VENV)/bin

.PHONY: demo test slow chaos floors check bench clean

demo: $(VENV)/installed
	$(BIN)/ablate run --grid table4 --protocol demo --store $(STORE)
	$(BIN)/ablate report --grid table4 --protocol demo --format markdown --store $(STORE) \
		--figures reports/figures
	@echo "the table lies in reports/table4.md, figures in reports/figures; browse the runs with $(BIN)/ablate ui --store $(STORE)"

# Two files at a time: a test that starts a sweep waits for its processes most of the time.
test: $(VENV)/installed-dev
	$(BIN)/pytest -n 2 --dist loadfile

slow: $(VENV)/installed-dev
	$(BIN)/pytest -m slow

# A quarter of an hour on two idle cores.
chaos: $(VENV)/installed-dev
	$(BIN)/pytest -m chaos
	$(BIN)/python -m tests.chaos --kills 50

# The tests with the lowest version of each dependency that pyproject.toml allows: 8 GB, in its own
# environment.
floors:
	$(PYTHON) -m venv --clear $(VENV)/floors
	$(VENV)/floors/bin/python -m pip install uv
	$(VENV)/floors/bin/uv pip install --python $(VENV)/floors --resolution lowest-direct --editable '.[test]'
	$(VENV)/floors/bin/pytest -n 2 --dist loadfile

check: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-bench
	$(BIN)/python benchmarks $(if $(OUT),--out $(OUT))

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[ui]'
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/installed

# What ablate is measured against is installed for this alone.
$(VENV)/installed-bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[bench]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist
