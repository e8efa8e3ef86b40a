# Everything that is done with a checkout. Needs Python 3.11 or newer (with venv) and make, no more.

# The first Python on the path that is new enough; choose another with `make PYTHON=...`.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$candidate && break; done)
BIN := .venv/bin
JOBS ?= 2
ARGS ?=
MINUTES ?= 10
KILLS ?= 300

.DEFAULT_GOAL := help
.PHONY: help run setup native test test-containers test-newcomer check format bench soak mutants docs site image clean
.NOTPARALLEL:

##@ Use
run: setup ## Serve on 127.0.0.1:8000 with an embedded Postgres (ARGS="--port 8001")
	@exec $(BIN)/stateroom serve $(ARGS)

##@ Develop
setup: .venv/.installed ## Make .venv with everything in it, the `stateroom` command too

native: setup ## Compile the hottest modules into this checkout (ARGS=--remove: not any more)
	$(BIN)/python build_native.py $(ARGS)

test: setup ## Run the whole test suite (ARGS="tests/unit -k settings", JOBS=4)
	@$(BIN)/python -c 'from tests.interop.node_toolchain import ensure_packages as go; go()'
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-containers: setup ## Build the image and run the compose files with Docker (ARGS=--pure: quicker)
	$(BIN)/python -m tests.containers $(ARGS)

test-newcomer: setup ## On a clean Debian, do what README.md says, as printed (as root, with mmdebstrap)
	$(BIN)/python -m tests.newcomer

check: setup ## Run every static check: format, lint, types, layers, container files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m pytest -q tests/architecture

format: setup ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Write the pages that are generated from the code
	$(BIN)/python -m docs.generate_settings
	$(BIN)/python -m docs.generate_cli
	$(BIN)/python -m docs.generate_errors
	$(BIN)/python -m docs.generate_metrics
	$(BIN)/python -m docs.generate_dashboard
	$(BIN)/python -m docs.generate_tinybase_room
	$(BIN)/python -m docs.generate_admin_api
	$(BIN)/python -m docs.generate_conformance

site: setup ## Build the site of docs/ into build/site; a link that leads nowhere fails (SITE=serve: show it)
	$(BIN)/python -m docs.stage_site
	$(BIN)/zensical $(or $(SITE),build --clean --strict)

##@ Measure
bench: setup ## Measure every goal beside TinyBase's own servers, and write docs/reference/performance.md
	-$(BIN)/python build_native.py
	$(BIN)/python -m bench --install
	$(BIN)/python -m bench.performance $(ARGS)

soak: setup ## Faults of every kind, then 300 failovers timed (MINUTES=60 KILLS=300; ARGS="--leaks [--full]": memory alone)
	$(BIN)/python -m bench.soak --minutes $(MINUTES) $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m bench.failover --kills $(KILLS) --clusters 3 --check)

mutants: setup ## Break the code on purpose; each break must turn the suite red
	$(BIN)/python -m tests.mutants $(ARGS)

##@ Ship
image: ## Build the container image with docker or podman
	@engine=$$(command -v docker || command -v podman) || { echo "docker or podman is needed" >&2; exit 1; }; \
	$$engine build --tag stateroom:dev .

clean: ## Remove what setup, tests and tools have made (not .stateroom, the data)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache app/native.sha256
	find app -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: pyproject.toml constraints.txt hatch_build.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: apt install python3-venv); or say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable '.[embedded]'
	@touch $@
