# Every target sets up what it needs in .venv; all a machine must have is Python (3.10 or newer) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Passed on to the target's program, as in: make test ARGS="-k ring", make demo ARGS="--endpoint http://localhost:4317".
ARGS ?=
# The sessions of `make test-matrix`, as `.venv/bin/nox --list` names them; empty means all.
SESSIONS ?=

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
# Two installations into one environment at the same time break it.
.NOTPARALLEL:
.PHONY: help demo test hosts vendors hunt backends test-backends test-page suites torture traffic scenarios damage fuzz lives lint format bench docs pictures test-matrix newer-pythons sanitize sanitize-threads coverage \
  wheel test-wheel hooks clean

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

demo: $(VENV)/.demo-installed ## Run a real service, make it fail, show the incident
	$(BIN)/otel-flight demo $(ARGS)

# What starts no processes runs in two at a time; what does, and waits for them, by itself.
PARALLEL := tests/unit tests/property
test: $(VENV)/.dev-installed ## Run the tests
ifeq ($(ARGS),)
	$(BIN)/python -m pytest --numprocesses 2 $(PARALLEL)
	$(BIN)/python -m pytest $(PARALLEL:%=--ignore %)
else
	$(BIN)/python -m pytest $(ARGS)
endif

hunt: $(VENV)/.dev-installed ## Look for crashes for a minute; make hunt ARGS="--minutes 30"
	$(BIN)/python -m tests.hunt $(ARGS)

backends: | $(BIN)/python ## Build a real Jaeger, Tempo and Collector to test against (needs Go; minutes)
	$(BIN)/python -m tests.backends $(ARGS)

test-backends: $(VENV)/.dev-installed ## Run the tests against the real backends, built if need be
	$(BIN)/python -m tests.backends
	OTEL_FLIGHT_REQUIRE_BACKENDS=1 $(BIN)/python -m pytest -m backends $(ARGS)

test-page: $(VENV)/.dev-installed ## Test the page of an incident in a real browser (needs Chromium)
	$(INSTALL) --editable '.[dev,page]'
	npm install --silent --no-audit --no-fund --fetch-retries 1 --fetch-timeout 20000 --prefix build/axe axe-core@4 || echo "Without npm nothing is said about accessibility."
	$(BIN)/python -m pytest tests/page $(ARGS)

suites: $(VENV)/.dev-installed ## Run other projects' tests with the recorder and without, and compare (hours)
	$(BIN)/python -m tests.suites $(ARGS)

fuzz: $(VENV)/.dev-installed ## Fuzz every reader of files with atheris, a minute each; make fuzz ARGS="--seconds 600 ring"
	$(INSTALL) atheris
	$(BIN)/python -m tests.fuzz $(ARGS)

lives: $(VENV)/.dev-installed ## Let 100,000 random spans live as light ones and as the SDK's, and compare (half an hour)
	$(BIN)/python -m pytest --hypothesis-profile=many --timeout=0 tests/property/test_light_spans.py $(ARGS)

damage: $(VENV)/.dev-installed ## Damage thousands of real files, and read them in every way (minutes)
	$(BIN)/python -m tests.damage $(ARGS)

# On the Python of .venv; another one: make test-matrix SESSIONS=hosts-3.13
hosts: $(VENV)/.dev-installed ## Run real servers with the recorder and without, and compare (15 minutes)
	$(BIN)/nox --session "hosts-$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
	  $(if $(ARGS),-- $(ARGS))

vendors: $(VENV)/.dev-installed ## Run a service with each vendor's OpenTelemetry, the same way (minutes; needs Python 3.11)
	$(BIN)/nox --error-on-missing-interpreters --session vendors $(if $(ARGS),-- $(ARGS))

traffic: $(VENV)/.dev-installed ## Live through a day with real services, and look for incidents (minutes; needs redis-server)
	$(INSTALL) --editable '.[dev,traffic]'
	$(BIN)/python -m tests.traffic $(ARGS)

torture: $(VENV)/.dev-installed ## End a program in every way, on every Python found, and look for its incident (an hour)
	$(BIN)/python -m tests.torture $(ARGS)

scenarios: $(VENV)/.dev-installed ## Run services with one fault each, and look whether it is named (half an hour); make scenarios ARGS=twins
	$(BIN)/python -m tests.faults.unforeseen $(ARGS)

lint: $(VENV)/.dev-installed ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict otel_flight _otel_flight_pytest.py tests benchmarks

format: $(VENV)/.dev-installed ## Format the code and apply the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev-installed ## Run the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.docs-installed ## Build the documentation; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html $(ARGS)

pictures: $(VENV)/.dev-installed ## Make the pictures of the documentation from a real incident (needs Chromium)
	$(INSTALL) --editable '.[dev,page]'
	$(BIN)/python -m docs.generate_pictures

test-matrix: $(VENV)/.dev-installed ## Run the tests on every Python found, and on the oldest SDK
	$(BIN)/nox $(if $(SESSIONS),--session $(SESSIONS)) $(if $(ARGS),-- $(ARGS))

newer-pythons: ## Run unit and property tests on a CPython of a newer Debian (needs root; minutes)
	.ci/newer-pythons $(ARGS)

# What is found ends the process with a report, which pytest must not capture. ASan has no alternate stacks for signals: it
# would free those of others, as the one that faulthandler has for the thread that enables it. TSan sees what our C does, and
# the locks of Python around it; without that option it ends each child of a process with threads.
sanitize: ## Run the tests of the hot path in C under ASan and UBSan (needs gcc)
sanitize: SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize: LOADED := libasan.so
sanitize: SETTINGS := ASAN_OPTIONS=detect_leaks=0:use_sigaltstack=0 UBSAN_OPTIONS=print_stacktrace=1
sanitize-threads: ## Run the same tests under TSan (needs gcc; minutes)
sanitize-threads: SANITIZERS := -fsanitize=thread
sanitize-threads: LOADED := libtsan.so
sanitize-threads: SETTINGS := TSAN_OPTIONS=die_after_fork=0:suppressions=tests/thread_sanitizer.txt
sanitize sanitize-threads: $(VENV)/.dev-installed
	rm -rf build/sanitized
	OTEL_FLIGHT_BUILD=compiled OTEL_FLIGHT_CFLAGS="-O1 -g -UNDEBUG -fno-omit-frame-pointer $(SANITIZERS)" \
	  $(INSTALL) --no-deps --target build/sanitized .
	cp -R tests pyproject.toml build/sanitized/
	cd build/sanitized && LD_PRELOAD="$$(gcc -print-file-name=$(LOADED))" $(SETTINGS) PYTHONMALLOC=malloc PYTHONPATH="$$PWD" \
	  ../../$(BIN)/python -m pytest --capture=sys tests/unit/recording tests/unit/ring tests/unit/running \
	  tests/property/test_codec.py tests/property/test_ring_model.py tests/property/test_light_spans.py \
	  tests/integration/harmless/test_hostile.py tests/integration/recording/test_light_spans.py $(ARGS)

coverage: $(VENV)/.dev-installed ## Print which share of the package the tests run (needs Python 3.13)
	$(BIN)/nox --error-on-missing-interpreters --session coverage $(if $(ARGS),-- $(ARGS))

wheel: $(VENV)/.dev-installed ## Build a wheel and an sdist into dist/
	rm -rf dist
	OTEL_FLIGHT_BUILD=compiled $(BIN)/python -m build .

test-wheel: wheel ## Install that wheel into an empty environment elsewhere, and run the unit tests there
	set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; mkdir "$$folder/source"; \
	$(BIN)/python -m venv --upgrade-deps "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$$(echo dist/*.whl)[test]"; \
	tar -xzf dist/*.tar.gz -C "$$folder/source" --strip-components=1; cd "$$folder"; \
	mv source/tests source/docs source/examples source/pyproject.toml .; rm -r source; \
	OTEL_FLIGHT_REQUIRE_WHEEL=1 venv/bin/python -m pytest --numprocesses 2 tests/unit tests/wheel $(ARGS)

hooks: $(VENV)/.dev-installed ## Let git check each commit, as .pre-commit-config.yaml says
	$(BIN)/pre-commit install

clean: ## Remove everything that was built or installed here, except the backends
	rm -rf $(VENV) .nox .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is missing or older than 3.10; name another: make PYTHON=python3.12 ..." >&2; exit 1; }
# The pip that an older Python brings finds no solution while a release of OpenTelemetry is half published.
	@$(PYTHON) -m venv --upgrade-deps $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# One stamp for each set of extras: a second run does nothing until what is built changes.
BUILT_FROM := pyproject.toml hatch_build.py $(addprefix otel_flight/,\
  running/ends/_last_signal.c interpreter/_frames.c interpreter/_hang_watch.c interpreter/_recursion.c \
  recording/encoding/_hot_path.c recording/encoding/_ring_writer.h recording/light/_current_span.c \
  recording/light/_light_span.c redaction/_telltales.c \
  redaction/_telltales.h running/_read_ahead.c) \
  $(wildcard otel_flight/recording/light/c/*.h)
$(VENV)/.demo-installed: $(BUILT_FROM) | $(BIN)/python
	$(INSTALL) --editable '.[demo]'
	@touch $@

# Brings everything that the demo needs as well.
$(VENV)/.dev-installed: $(BUILT_FROM) | $(BIN)/python
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.demo-installed

$(VENV)/.docs-installed: $(VENV)/.dev-installed
	$(INSTALL) --editable '.[dev,docs]'
	@touch $@
