# make demo, make test, make hostile, make kill, make lint: each alone is enough on a fresh machine with Python >= 3.10.
# make demo PHOTO=my.jpg looks at a photo of yours, too. make test-gpu runs all tests on an NVIDIA card (tests/gpu_run.py
# takes parts of it), make bench-gpu measures it; its driver decides whether that is by CUDA 13 or, make test-gpu
# CUDA=cuda12, 12. PyTorch is measured, too, where it is installed in VENV.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CUDA ?= cuda13

.PHONY: demo test test-gpu bench-gpu card hostile kill lint

demo: $(VENV)/.installed
	$(BIN)/minicnn demo $(if $(PHOTO),--photo "$(PHOTO)")

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not oracle"

test-gpu: card $(VENV)/.installed-test $(VENV)/.installed-$(CUDA)
	$(BIN)/python tests/gpu_run.py

bench-gpu: card $(VENV)/.installed $(VENV)/.installed-$(CUDA)
	$(BIN)/python -m minicnn.benchmarks.report benchmarks/CUDA.md ladders nets

# Before anything is installed for it.
card:
	@nvidia-smi -L 2>/dev/null | grep -q GPU || \
	{ echo "make $(MAKECMDGOALS) needs an NVIDIA card and its driver: nvidia-smi finds none" >&2; exit 1; }

hostile: $(VENV)/.installed-test
	$(BIN)/python tests/hostile_run.py

kill: $(VENV)/.installed-test
	$(BIN)/python tests/kill_run.py

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The stamps are younger than setup.cfg as long as what is installed is what it asks for.
$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@

$(VENV):
	@$(PYTHON) -c "import sys; v = sys.version_info; v >= (3, 10) or \
	sys.exit(f'minicnn needs Python >= 3.10, $(PYTHON) is {v[0]}.{v[1]}; name another one: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
