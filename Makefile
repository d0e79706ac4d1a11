# Needs Python 3.11 or later and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOWEST := $(VENV)/lowest
RUN ?= runs/xor
PACKAGE ?= packages/xor

.DEFAULT_GOAL := help
.PHONY: help install demo train plots export verify predict evaluate test lowest soak bench lint format typecheck dist clean

help:  ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY)  ## Make .venv with everything that training, export, runtime and tests need.

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Parity needs Python 3.11 or later: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@echo "Installing into $(VENV) (once; takes a minute or more)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)  ## The whole line for XOR: train, plots, export, gate, verify, predict, evaluate.
	@echo "1. Train the notebook's network on 5,000 noisy points"
	@$(BIN)/parity train xor --out $(RUN) --force
	@echo "2. Draw what it learned"
	@$(BIN)/parity plot $(RUN)
	@echo "3. Export it to ONNX; the gate compares onnxruntime with torch, and proves how far any backend can be"
	@$(BIN)/parity export $(RUN) $(PACKAGE) --certified --force
	@echo "4. Verify the package: digests, and its own questions and answers"
	@$(BIN)/parity verify $(PACKAGE)
	@echo "5. Answer the four corners, without torch, each with its proof"
	@$(BIN)/parity predict $(PACKAGE) --certified --row 0,0 --row 0,1 --row 1,0 --row 1,1
	@echo "6. Evaluate it on the 500 held-out points"
	@$(BIN)/parity evaluate $(PACKAGE) $(RUN)/test.csv
	@echo "7. Say which labels no backend can change, over 100,000 points"
	@$(BIN)/parity certify $(PACKAGE)
	@echo "The pictures are in $(RUN): samples, loss, boundary, confusion, roc, calibration; the package is $(PACKAGE), its plots/band.png what is not certified"

train: $(READY)  ## Train XOR into runs/xor (RUN=...).
	@$(BIN)/parity train xor --out $(RUN) --force

plots: $(READY)  ## Draw the pictures of RUN.
	@$(BIN)/parity plot $(RUN)

export: $(READY)  ## Export RUN to PACKAGE, if the gate agrees.
	@$(BIN)/parity export $(RUN) $(PACKAGE) --force

verify: $(READY)  ## Check PACKAGE's digests and replay its vectors.
	@$(BIN)/parity verify $(PACKAGE)

predict: $(READY)  ## Answer the four corners with PACKAGE.
	@$(BIN)/parity predict $(PACKAGE) --row 0,0 --row 0,1 --row 1,0 --row 1,1

evaluate: $(READY)  ## Compare PACKAGE's answers with RUN's held-out labels.
	@$(BIN)/parity evaluate $(PACKAGE) $(RUN)/test.csv

# Two processes on two cores: OpenMP's threads would wait for one another.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
.PHONY: quick coverage

test: $(READY)  ## Run all tests, in two processes.
	@$(TESTS)

quick: $(READY)  ## Run the tests that take no half second each: under a minute, while one works.
	@$(TESTS) -m "not slow"

coverage: $(READY)  ## Run all tests and say which lines they leave out (twice the time).
	@$(TESTS) --cov --cov-report=term:skip-covered

lowest: $(LOWEST)/.ready  ## Run the runtime's tests on the lowest versions that pyproject.toml allows, in .venv/lowest.
	@$(LOWEST)/bin/python -m pytest -q tests/runtime

$(LOWEST)/.ready: $(READY)
	@test -x $(LOWEST)/bin/python || $(BIN)/python -m venv $(LOWEST)
	@$(BIN)/uv pip compile --quiet --no-deps --resolution lowest-direct --extra cpu --extra tables pyproject.toml \
	    --output-file $(LOWEST)/lowest.txt
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -r $(LOWEST)/lowest.txt pytest hypothesis
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

soak: $(READY) $(LOWEST)/.ready  ## Property tests at length, fuzzing of every parser, 400 kills, right graphs that must pass, and the search for a hole in the proof (3 hours).
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest tests/runtime/test_properties.py
	@PARITY_KILLS=50 $(BIN)/python -m pytest tests/training/test_resume.py
	@$(BIN)/python -m tests.end_to_end.kills
	@$(BIN)/python -m tests.parity.false_refusals --seeds 20
	@$(BIN)/python -m tests.proof.soundness --points 100000000
	@$(BIN)/python -m tests.proof.fuzzing.search --outputs 30000000 --python $(LOWEST)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[fuzz]"
	@$(BIN)/python -W ignore -m tests.fuzz.run --seconds 300

bench: $(READY)  ## Measure everything beside what others do (20 minutes), and write docs/benchmarks.md.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	@$(BIN)/python benchmarks/report.py

lint: $(READY)  ## Check style, and that imports point one way.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(READY)  ## Format the code.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: $(READY)  ## mypy --strict over the three packages and the service.
	@$(BIN)/mypy
	@MYPYPATH=examples/python-service $(BIN)/mypy --strict examples/python-service

dist: $(READY)  ## Build the sdist and the wheel; install both outside the checkout and use every extra (4 minutes).
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python tests/end_to_end/smoke.py dist/*.whl dist/*.tar.gz

clean:  ## Remove what the targets made: .venv, caches, dist, runs, packages.
	rm -rf $(VENV) dist build runs packages .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
