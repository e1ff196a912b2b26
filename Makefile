# Two commands do all the set-up on a machine that has python3, make and git: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Many tests wait for pauses or processes, so that two processors serve several of them.
PROCESSES ?= 8
# Python keeps what pytest made of the tests, for the other processes that import them and for the next run.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help install demo demo-fleet check test test-clients lint format coverage deploy image stubs reasons lock bench soak clean

help: ## lists the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The import leaves bytecode of all that the daemon loads, which some installers do not, nor any start where it is forbidden.
$(VENV)/installed: requirements-dev.txt pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python %d.%d, and intercomd needs 3.11 or later: name one, as in make PYTHON=python3.12 demo" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e clients/python -e .
	@$(BIN)/python -c "import intercomd_daemon.cli.run"
	@touch $@

install: $(VENV)/installed ## creates the virtual environment with all tools

demo: install ## runs the demo against a sandbox
	$(BIN)/intercomd demo

demo-fleet: install ## runs agents and two gateways on one PostgreSQL, and kills one of them
	$(BIN)/python tests/fleet/demo.py

test: install ## runs all tests in several processes (TESTS="tests/cli" for some)
	$(BIN)/python -m pytest -n $(PROCESSES) $(TESTS)

test-clients: install ## checks the clients in other languages, and that all behave alike (CLIENTS="go" for some)
	$(BIN)/python clients/check.py $(CLIENTS)
	$(BIN)/python clients/pages.py --built $(CLIENTS)
	$(BIN)/python clients/conformance/run.py --built $(CLIENTS)

check: lint ## runs lint and the tests of the pure modules, in under a minute
	$(BIN)/python -m pytest --pure -n 2

lint: install ## checks style, types, layers and the protobuf contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	if git rev-parse --verify --quiet origin/main >/dev/null; then cd proto && ../$(BIN)/buf breaking --against "../.git#ref=origin/main,subdir=proto"; fi

format: install ## formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd proto && ../$(BIN)/buf format --write

coverage: install ## runs all tests, and checks that the branch coverage of the pure modules is complete
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n $(PROCESSES) --cover-pure
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=100

deploy: install ## checks `deploy/` with the programs that read it; .ci/tools installs them
	PATH="$(CURDIR)/.tools:$$PATH" $(BIN)/python -m pytest -o python_files="check_*.py" tests/deploy

bench: install ## measures the throughput of each step (ROW=name for one row, ROW="this that" for some, OLDER=folder of an older checkout, DELIVERIES=n for fewer of the row `delivered`)
	$(BIN)/python tests/bench/run.py $(if $(ROW),--row $(ROW)) $(if $(OLDER),--older $(OLDER)) $(if $(DELIVERIES),--deliveries $(DELIVERIES))

soak: install ## runs the randomized tests for hours: kills, fleets, paced windows, days of order, power cuts, corruption, fuzzing (KILLS=n for fewer kills)
	$(BIN)/python tests/crash/soak.py --kills $(or $(KILLS),1000)
	$(BIN)/python tests/crash/chain.py --blows $(or $(KILLS),1000)
	$(BIN)/python tests/fleet/soak.py --rounds $(or $(ROUNDS),40)
	$(BIN)/python tests/crash/pace.py
	$(BIN)/python tests/order/soak.py --days 500
	$(BIN)/python tests/order/soak.py --days 5000 --fleet
	$(BIN)/python tests/crash/disks.py --cuts 1000
	$(BIN)/python tests/crash/corruption.py --seeds 100
	$(BIN)/python tests/fuzz/soak.py --minutes 10

image: install ## builds the image's root on a bare Debian and runs a daemon in it; needs root and debootstrap
	$(BIN)/python -m pytest -s -o python_files="prove_*.py" tests/deploy

stubs: install ## generates the stubs of all languages
	$(BIN)/python clients/python/generate.py
	$(BIN)/python clients/stubs.py

reasons: install ## writes the tables of daemon/docs/reasons.md from the registry of reasons
	$(BIN)/python daemon/generate_reasons.py

lock: install ## pins every dependency with its hashes
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--no-emit-package intercomd-client --extra dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--no-emit-package intercomd-client --extra postgresql -c requirements-dev.txt pyproject.toml -o requirements.txt

clean: ## removes generated files
	rm -rf $(VENV) .venv-3.* .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
