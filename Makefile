# Needs Python 3.11 or later and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOWEST := $(VENV)/lowest
LOWEST_ALL := $(VENV)/lowest-all
MLFLOW := $(VENV)/mlflow
CLIENTS := $(VENV)/clients
MLSERVER := $(VENV)/mlserver
TRITON := $(VENV)/triton
RUN ?= runs/xor
PACKAGE ?= packages/xor
# What is imported is compiled then, and kept: compiling all of torch, which few use, takes longer.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile

.DEFAULT_GOAL := help
.PHONY: help install demo train plots export verify predict evaluate test lowest mlflow clients triton soak bench bench-compare instructions cuda lint format typecheck docs dist lock clean

help:  ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY)  ## Make .venv with everything that training, export, runtime and tests need.

$(READY): locks/dev.txt pyproject.toml
	$(call install_locked,$(VENV),locks/dev.txt)

# Environments of their own: $(LOWEST), $(LOWEST_ALL), $(MLFLOW), $(CLIENTS), $(MLSERVER), $(TRITON).
$(VENV)/%/.ready: locks/%.txt pyproject.toml
	$(call install_locked,$(VENV)/$*,locks/$*.txt)

# install_locked ENVIRONMENT,LOCK: the lock's packages, checked against its hashes, then this checkout. torch has another
# hash on each index, so a lock only names its version; pip adds what a build of it for CUDA needs beyond the lock.
define install_locked
@$(PYTHON) -c 'import sys; sys.exit("Parity needs Python 3.11 or later: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
@echo "Installing $(2) into $(1) (once; takes a minute or more)"
@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
@$(1)/bin/python $(PIP_INSTALL) --no-deps --require-hashes --requirement $(2)
@torch=$$(sed -n 's/^# \(torch==[^ ]*\).*/\1/p' $(2)); test -z "$$torch" || $(1)/bin/python $(PIP_INSTALL) "$$torch"
@$(1)/bin/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
@touch $@
endef

demo: $(READY)  ## The whole line for XOR: train, plots, export, gate, verify, predict, evaluate.
	@echo "1. Train the notebook's network on 5,000 noisy points"
	@$(BIN)/parity train xor --out $(RUN) --force
	@echo "2. Draw what it learned"
	@$(BIN)/parity plot $(RUN)
	@echo "3. Export it to ONNX, if it predicts as the PyTorch network does"
	@$(BIN)/parity export $(RUN) $(PACKAGE) --certified --force
	@echo "4. Verify the package: its digests, and its test vectors"
	@$(BIN)/parity verify $(PACKAGE)
	@echo "5. Predict the four corners, without PyTorch"
	@$(BIN)/parity predict $(PACKAGE) --certified --row 0,0 --row 0,1 --row 1,0 --row 1,1
	@echo "6. Evaluate it on the 500 held-out points"
	@$(BIN)/parity evaluate $(PACKAGE) $(RUN)/test.csv
	@echo "7. Count the labels that no other runtime can change, over 100,000 points"
	@$(BIN)/parity certify $(PACKAGE)
	@echo "The plots are in $(RUN): samples, loss, boundary, confusion, roc, calibration; the package is $(PACKAGE)"

train: $(READY)  ## Train XOR into runs/xor (RUN=...).
	@$(BIN)/parity train xor --out $(RUN) --force

plots: $(READY)  ## Draw the plots of RUN.
	@$(BIN)/parity plot $(RUN)

export: $(READY)  ## Export RUN to PACKAGE, if the gate agrees.
	@$(BIN)/parity export $(RUN) $(PACKAGE) --force

verify: $(READY)  ## Check PACKAGE's digests and replay its test vectors.
	@$(BIN)/parity verify $(PACKAGE)

predict: $(READY)  ## Predict the four corners with PACKAGE.
	@$(BIN)/parity predict $(PACKAGE) --row 0,0 --row 0,1 --row 1,0 --row 1,1

evaluate: $(READY)  ## Compare PACKAGE's predictions with RUN's held-out labels.
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

LOWEST_TESTS := OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -n 2 --dist loadfile tests/runtime

lowest: $(LOWEST)/.ready  ## Run the runtime's quick tests on the lowest versions that pyproject.toml allows, in .venv/lowest.
	@$(LOWEST_TESTS) -m "not slow"

MLFLOW_TESTS := OMP_NUM_THREADS=1 $(MLFLOW)/bin/python -W default -m pytest -q -n 2 -W default -k mlflow \
    tests/engines/test_mlflow.py tests/engines/test_mlflow_log.py tests/end_to_end/test_no_network.py

mlflow: $(MLFLOW)/.ready  ## Run the tests of what needs MLflow in .venv/mlflow: it wants another pyarrow.
	@$(MLFLOW_TESTS)

CLIENT_TESTS := $(BIN)/python -m pytest -q tests/serving/test_clients.py tests/deployment

clients: $(READY) $(CLIENTS)/.ready $(MLSERVER)/.ready  ## Ask parity serve with Triton's, KServe's and MLServer's clients and Schemathesis, and have the first two read what parity deploy writes, in .venv/clients and .venv/mlserver: they want other versions.
	@$(CLIENT_TESTS)

triton: $(READY) $(TRITON)/.ready  ## Serve what parity deploy writes on Triton itself, in .venv/triton (Python 3.11 or 3.12: it wants numpy 1).
	@$(BIN)/python -m pytest -q tests/deployment/test_triton_server.py

soak: $(READY) $(LOWEST)/.ready $(LOWEST_ALL)/.ready $(MLFLOW)/.ready $(CLIENTS)/.ready $(MLSERVER)/.ready  ## The long cases of tests, property tests at length, fuzzing of every parser, 400 kills, right graphs that must pass, and the search for a hole in the proof (4 hours).
	@$(TESTS) --soak
	@$(MLFLOW_TESTS) --soak
	@$(CLIENT_TESTS)
	@$(LOWEST_TESTS) -m slow
	@$(LOWEST_ALL)/bin/python -m pytest -q tests/training tests/export tests/parity
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest tests/runtime/test_properties.py
	@PARITY_KILLS=50 $(BIN)/python -m pytest tests/training/test_resume.py
	@$(BIN)/python -m tests.end_to_end.kills
	@$(BIN)/python -m tests.parity.false_refusals --seeds 20
	@$(BIN)/python -m tests.proof.soundness --points 100000000
	@$(BIN)/python -m tests.proof.fuzzing.search --outputs 30000000 --python $(LOWEST)/bin/python
	@$(BIN)/python $(PIP_INSTALL) --no-deps --require-hashes --requirement locks/fuzz.txt
	@$(BIN)/python -W ignore -m tests.fuzz.run --seconds 300

bench: $(READY)  ## Measure everything beside what others do (45 minutes), and write docs/reference/benchmarks.md.
	@$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable ".[bench]"
	@$(BIN)/python benchmarks/report.py

bench-compare: $(READY)  ## Say which figures left their quartiles since the commit before them, or since BASE=COMMIT; NAMES="predictor scoring" are some.
	@$(BIN)/python benchmarks/compare.py $(NAMES) $(if $(BASE),--base $(BASE))

instructions: $(READY)  ## Count the instructions of the hot paths under valgrind, and fail where they are 5 % more than what is kept.
	@$(BIN)/python benchmarks/instructions.py --check

# A machine with a GPU may have torch and onnxruntime-gpu elsewhere: CUDA_PYTHON=python3.
CUDA_PYTHON ?= $(BIN)/python
CUDA_RUN = PYTHONPATH=$(CURDIR)/runtime:$(CURDIR)/training:$(CURDIR)/export $(CUDA_PYTHON)

cuda: $(if $(filter $(BIN)/python,$(CUDA_PYTHON)),$(READY))  ## Run the tests that need a GPU, measure what one gives, and write it into docs/reference/benchmarks.md; without a GPU, say so.
	@failed=0; $(CUDA_RUN) -m pytest -q -rs -m cuda tests/runtime/test_cuda.py tests/export/test_cuda_gate.py || failed=1; \
	    $(CUDA_RUN) benchmarks/report.py --only cuda || failed=1; exit $$failed

lint: $(READY)  ## Check style, and that imports point one way.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(READY)  ## Format the code.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: $(READY)  ## mypy --strict over the three packages.
	@$(BIN)/mypy

docs: $(READY)  ## Build the site into build/site, strictly: a warning or a link to nowhere is an error.
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --jobs 2 --builder html docs build/site
	@echo "The site is build/site/index.html: $(BIN)/python -m http.server --directory build/site --bind 127.0.0.1"

dist: $(READY)  ## Build the sdist and the wheel, install both outside the checkout, use every extra, write the SBOM (4 minutes).
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python -m tests.end_to_end.smoke dist/*.whl dist/*.tar.gz

# One resolution serves every Python that is allowed. What a lock names already stays as long as it fits.
COMPILE = $(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --generate-hashes --no-annotate --custom-compile-command "make lock" $(UPGRADE) pyproject.toml
TOOLS = grep -E '^(editables|hatchling|hypothesis|pytest|pytest-xdist)==' constraints.txt
BUILD_TOOLS = grep -E '^(editables|hatchling)==' constraints.txt
COMPILE_CLIENTS = $(subst pyproject.toml,-,$(COMPILE)) --output-file
COMPILE_LOWEST = $(TOOLS) | $(COMPILE) - --resolution lowest-direct --extra cpu --extra tables

lock: $(VENV)/uv/bin/uv  ## Write locks/ from pyproject.toml and constraints.txt; UPGRADE=--upgrade renews what neither pins.
	@$(COMPILE) --extra dev --constraint constraints.txt --output-file locks/dev.txt
	@$(COMPILE) --extra fuzz --constraint constraints.txt --constraint locks/dev.txt --output-file locks/fuzz.txt
	@$(COMPILE_LOWEST) --output-file locks/lowest.txt
	@$(COMPILE_LOWEST) --extra train --extra export --extra plot --output-file locks/lowest-all.txt
	@{ $(TOOLS); grep -E '^(tensorboard|torch)==' constraints.txt; } | $(COMPILE) - --extra cpu --extra spark --extra mlflow \
	    --extra train --output-file locks/mlflow.txt
	@{ $(BUILD_TOOLS); printf '%s\n' click numpy 'kserve>=0.21' 'schemathesis>=4' 'tritonclient[http,grpc]>=2.70'; } | $(COMPILE_CLIENTS) locks/clients.txt
	@{ $(BUILD_TOOLS); printf '%s\n' click numpy httpx 'mlserver>=1.7.1'; } | $(COMPILE_CLIENTS) locks/mlserver.txt
	@{ $(BUILD_TOOLS); printf '%s\n' click 'nvidia-pytriton>=0.7' 'onnxruntime>=1.20'; } | $(COMPILE_CLIENTS) locks/triton.txt
	@for lock in locks/*.txt; do awk '/^[^ ]/ { skip = /^(torch|triton==|nvidia-[^p]|cuda-)/ } \
	    /^torch==/ { print "# " $$1 " without hashes: each index has builds of its own" } !skip' $$lock >$$lock.new && mv $$lock.new $$lock; done

$(VENV)/uv/bin/uv: constraints.txt
	@test -x $(VENV)/uv/bin/python || $(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python $(PIP_INSTALL) --constraint constraints.txt uv
	@touch $@

clean:  ## Remove what the targets made: .venv, caches, dist, runs, packages.
	rm -rf $(VENV) dist build runs packages .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
