# make demo, make test, make hostile, make kill, make lint: each alone is enough on a fresh machine with Python >= 3.10.
# make demo PHOTO=my.jpg looks at a photo of yours, too.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test hostile kill lint

demo: $(VENV)/.installed
	$(BIN)/minicnn demo $(if $(PHOTO),--photo "$(PHOTO)")

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not oracle"

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
