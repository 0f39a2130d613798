# Everything runs from .venv, made from the hash-pinned locks in requirements/.
# Needs Python 3.11 or newer and make; `make lock` alone needs uv as well.

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= auto
UV ?= uv
UPGRADE ?=
DATA ?= ../shared/data
ARGS ?=

VENV := .venv
PEERS := .venv-peers
SPARK := .venv-spark
SERVERS := .venv-servers
SHIP := .venv-ship
SERVER_NAMES := fastapi bentoml mlserver mlflow litserve ray
OUR_SERVER_NAMES := granian
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# Wheels only: nothing is compiled here, and no setup script of a dependency runs.
PIP_INSTALL_LOCKED := $(PIP_INSTALL) --require-hashes --only-binary :all:

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(VENV)/.setup ## Make .venv with what serving needs

.PHONY: dev
dev: $(VENV)/.dev

.PHONY: run
run: setup ## Serve on 127.0.0.1, PORT=8000
	$(BIN)/loansvc serve --port $(PORT)

# Where a test keeps its ledger: in memory, if programs may run there and 4 GB are free. That the disk
# is waited for is tested, not for how long. Some containers forbid Python to keep what it compiled:
# each of the many processes that are started here would compile the program anew.
MEMORY := $(shell grep -q ' /dev/shm .*noexec' /proc/mounts || \
	df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')

# For the tests of the console: the machine's, else Playwright's own, else Debian's package.
.PHONY: chromium
chromium: dev
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		command -v google-chrome >/dev/null || \
		timeout 300 $(BIN)/playwright install chromium >/dev/null 2>&1 || \
		apt-get install -y chromium >/dev/null 2>&1 || \
		echo "No Chromium, and none could be brought: the console is not tested in a browser." >&2

.PHONY: test
test: dev chromium ## Run the tests and the examples in docstrings
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(if $(MEMORY),PYTEST_DEBUG_TEMPROOT=$(MEMORY)) \
		$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: test-faults
test-faults: dev ## Make every fault of docs/reliability.md and write down what was measured
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m faults tests/fault -p no:xdist -q \
		--faults-page docs/reliability.md $(ARGS)

.PHONY: lint
lint: dev ## Check style, types, layers and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -x $(BIN)/hadolint ]; then echo "$(BIN)/hadolint Dockerfile"; $(BIN)/hadolint Dockerfile; \
	else echo "hadolint has no build for this machine: Dockerfile not checked"; fi

.PHONY: bench
bench: dev ## Measure how long things take
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/bench -m bench -s -p no:xdist

.PHONY: bench-models
bench-models: $(PEERS)/.peers ## Measure scorecards beside other models on the data sets in DATA
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=. \
		$(PEERS)/bin/python -m tests.bench.models $(DATA) $(ARGS)

.PHONY: bench-peers
bench-peers: dev $(SERVER_NAMES:%=$(SERVERS)/%/.made) $(OUR_SERVER_NAMES:%=$(SERVERS)/%/.made) ## Measure the service beside model servers, ARGS="--peers fastapi"
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.peers.run $(SERVERS) $(ARGS)

.PHONY: test-schemathesis
test-schemathesis: dev ## Ask the built service 500 generated requests of each kind, three times
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/e2e/test_schemathesis.py -m slow -s -p no:xdist

.PHONY: test-fuzz
test-fuzz: dev ## Damage every file in 3,000 ways, and do 40,000 things in any order
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/property/test_loaders.py tests/property/test_proof_readers.py \
		-n $(WORKERS) --hypothesis-profile=long
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/property/test_service_model.py -m slow -n $(WORKERS)

.PHONY: test-image
test-image: dev ## Build the image on a base made by debootstrap, and run it (root; buildah, debootstrap)
	$(BIN)/python -m pytest tests/e2e/test_image.py -m image -q -p no:xdist

.PHONY: test-peers
test-peers: $(PEERS)/.peers ## Check binning against optbinning
	OMP_NUM_THREADS=1 $(PEERS)/bin/python -m pytest tests/peers -m peers

.PHONY: test-spark
test-spark: $(SPARK)/.spark ## Run portfolios on Spark, a worker killed included (needs Java 17)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(SPARK)/bin/python -m pytest tests/spark -m spark -q

.PHONY: dist
dist: dev ## Build wheel and sdist into dist/, the same bytes each time
	rm -f dist/*.whl dist/*.tar.gz
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 315532800) \
		$(BIN)/python -m hatchling build --directory dist --target sdist --target wheel

.PHONY: sbom
sbom: $(SHIP)/.ship ## Write what is installed where it serves to dist/*.cdx.json (CycloneDX), for each lock
	mkdir -p dist
	for lock in serve postgres otel client train; do \
		$(SHIP)/bin/cyclonedx-py requirements requirements/$$lock.txt --pyproject pyproject.toml \
			--output-reproducible --validate --of JSON -o dist/$$lock.cdx.json || exit 1; \
	done

# The advisories are asked for over the network. Where nobody answers, that is what it says.
.PHONY: audit
audit: $(SHIP)/.ship ## Ask whether a locked package has a known vulnerability
	for lock in otel train; do \
		$(SHIP)/bin/pip-audit --requirement requirements/$$lock.txt --require-hashes --disable-pip \
			--strict --progress-spinner off \
			|| { echo "Not every package was found harmless: see above." >&2; exit 1; }; \
	done

.PHONY: reference
reference: dev ## Write what is written from the program itself
	$(BIN)/python -m tests.reference

# A lock holds all that its layer needs, in the versions of the layer below it.
# Versions stay as they are while they fit; `make lock UPGRADE=--upgrade` takes the newest.
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(UPGRADE)

.PHONY: lock
lock: ## Write the locks anew from pyproject.toml (needs uv)
	$(LOCK) --group build --output-file requirements/build.txt
	$(LOCK) pyproject.toml --constraints requirements/build.txt \
		--output-file requirements/serve.txt
	$(LOCK) pyproject.toml --extra postgres --extra redis --constraints requirements/build.txt \
		--constraints requirements/serve.txt \
		--output-file requirements/postgres.txt
	$(LOCK) pyproject.toml --extra otel --extra postgres --extra redis \
		--constraints requirements/build.txt --constraints requirements/postgres.txt \
		--output-file requirements/otel.txt
	$(LOCK) pyproject.toml --extra fast --constraints requirements/build.txt \
		--constraints requirements/serve.txt \
		--output-file requirements/fast.txt
	$(LOCK) pyproject.toml --extra pdf --constraints requirements/build.txt \
		--constraints requirements/serve.txt \
		--output-file requirements/pdf.txt
	$(LOCK) pyproject.toml --extra client --constraints requirements/build.txt \
		--constraints requirements/otel.txt \
		--output-file requirements/client.txt
	$(LOCK) pyproject.toml --extra train --constraints requirements/build.txt \
		--constraints requirements/serve.txt \
		--output-file requirements/train.txt
	$(LOCK) pyproject.toml --extra portfolio --constraints requirements/build.txt \
		--constraints requirements/train.txt \
		--output-file requirements/portfolio.txt
	$(LOCK) pyproject.toml --extra dev --constraints requirements/build.txt \
		--constraints requirements/train.txt --constraints requirements/otel.txt \
		--constraints requirements/portfolio.txt --constraints requirements/fast.txt \
		--constraints requirements/pdf.txt --constraints requirements/client.txt \
		--output-file requirements/dev.txt
	$(LOCK) --group ship --output-file requirements/ship.txt
	$(LOCK) pyproject.toml --extra spark --group spark-tests --constraints requirements/build.txt \
		--constraints requirements/dev.txt \
		--output-file requirements/spark.txt
	$(LOCK) pyproject.toml --extra peers --constraints requirements/build.txt \
		--constraints requirements/serve.txt \
		--output-file requirements/peers.txt
	for name in $(SERVER_NAMES); do \
		$(LOCK) --group $$name --output-file requirements/servers/$$name.txt || exit 1; \
	done
	for name in $(OUR_SERVER_NAMES); do \
		$(LOCK) pyproject.toml --group $$name --constraints requirements/serve.txt \
			--output-file requirements/servers/$$name.txt || exit 1; \
	done

# optbinning and the others: large, and not to be mixed with ours.
$(PEERS)/.peers: requirements/peers.txt
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Say which: make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes \
		--only-binary :all: -r requirements/peers.txt
	@touch $@

$(SHIP)/.ship: requirements/ship.txt
	$(PYTHON) -m venv --clear $(SHIP)
	$(SHIP)/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes \
		--only-binary :all: -r requirements/ship.txt
	@touch $@

# Model servers do not agree on versions: one environment each.
$(SERVERS)/%/.made: requirements/servers/%.txt
	$(PYTHON) -m venv --clear $(SERVERS)/$*
	$(SERVERS)/$*/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes \
		--only-binary :all: -r $<
	@touch $@

# PySpark comes as source alone; nothing in it is compiled.
$(SPARK)/.spark: requirements/spark.txt
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Say which: make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(SPARK)
	$(SPARK)/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes \
		--only-binary :all: --no-binary pyspark -r requirements/spark.txt
	@touch $@

.PHONY: clean
clean: ## Remove .venv, caches and build output; var/ stays
	rm -rf $(VENV) $(PEERS) $(SPARK) $(SERVERS) build dist schemathesis-report
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Say which: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("loansvc needs Python 3.11 or newer, $(PYTHON) is %d.%d. Say which: make setup PYTHON=/path/to/python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)

# The stamps are files, so that a second `make setup` does nothing and a changed lock installs anew.
$(VENV)/.setup: $(VENV)/pyvenv.cfg requirements/build.txt requirements/serve.txt pyproject.toml
	$(PIP_INSTALL_LOCKED) -r requirements/build.txt -r requirements/serve.txt
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.setup requirements/train.txt requirements/dev.txt
	$(PIP_INSTALL_LOCKED) -r requirements/train.txt -r requirements/dev.txt
	@touch $@
