# Two commands do the main job: `make report` and `make test`. Bare `make` prints the list.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMMUNITY ?= data/sample/community.yml
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help report test check format lab sample dictionary golden lock simulations drills bench browser clean

help:  ## Print this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The environment, from the locked versions: by uv where it is present, else by plain pip.
$(VENV)/.installed: constraints.txt pyproject.toml
ifdef UV
	uv venv --quiet --clear --python '>=3.11,<3.14' $(VENV)
	uv pip install --quiet --compile-bytecode --python $(BIN)/python -r constraints.txt
	uv pip install --quiet --python $(BIN)/python --no-deps -e .
else
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): Python 3.11, 3.12 or 3.13 is needed. Name one: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
endif
	@touch $@

report: $(VENV)/.installed  ## Build the report of the sample community (or of COMMUNITY=…/community.yml)
	$(BIN)/community report $(COMMUNITY)

test: $(VENV)/.installed  ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/benchmarks --ignore tests/browser tests src/analysis
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --nbval-lax --nbval-current-env notebooks tests/golden/headlines.ipynb
	$(BIN)/python -m pytest -q tests/benchmarks

check: $(VENV)/.installed  ## Lint, check formats and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed  ## Put formats right
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lab: $(VENV)/.installed  ## Open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

sample: $(VENV)/.installed  ## Draw the sample community again
	$(BIN)/community sample data/sample

dictionary: $(VENV)/.installed  ## Write the tables of data/README.md from the schema
	@$(BIN)/python -c 'import pathlib, re; from analysis.schema import write_dictionary; \
		file = pathlib.Path("data/README.md"); head = file.read_text("utf-8").split("<!--")[0]; \
		note = "<!-- Written from src/analysis/schema by `make dictionary`. -->\n\n"; \
		file.write_text(head + note + write_dictionary(), "utf-8")'

golden: $(VENV)/.installed  ## Take the sample run as the one to compare with (say why in the CHANGELOG)
	$(BIN)/community report $(COMMUNITY)
	cp reports/sample/latest/results.json tests/golden/results.json
	$(BIN)/jupyter nbconvert --to notebook --execute --ExecutePreprocessor.record_timing=False --inplace tests/golden/headlines.ipynb

lock:  ## Lock the versions again, with hashes (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--no-annotate --python-version 3.11 --extra test pyproject.toml -o constraints.txt
	sed -n '/^browser = /,/^]/p' pyproject.toml | grep -o '"[^"]*"' | tr -d '"' | uv pip compile --quiet --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 - -o tests/browser/requirements.txt

simulations: $(VENV)/.installed  ## Run the long simulations, and what else takes long
	$(BIN)/python -m pytest -m slow -s --ignore tests/drills --ignore tests/browser tests

drills: $(VENV)/.installed  ## Kill two hundred runs at random moments (about an hour; DRILL_RUNS=40 takes fewer)
	$(BIN)/python -m pytest -m slow -s tests/drills

bench: $(VENV)/.installed  ## Measure speed against named peers
	$(BIN)/python tests/benchmarks/bench_curves.py
	$(BIN)/python tests/benchmarks/bench_cox.py
	$(BIN)/python tests/benchmarks/bench_risk.py
	$(BIN)/python tests/benchmarks/bench_experiments.py
	$(BIN)/python tests/benchmarks/bench_planning.py
	$(BIN)/python tests/benchmarks/bench_reports.py

browser: $(VENV)/.installed  ## Open every page of the sample's report in Chromium, at three widths, without a network
ifdef UV
	uv pip install --quiet --python $(BIN)/python --require-hashes -r tests/browser/requirements.txt
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/browser/requirements.txt
endif
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/browser

clean:  ## Remove the environment and caches; never data or reports
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
