# EISHRO: `make` alone lists the targets.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test check bench lock edge-test audit simulate

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup:  ## make the environment (.venv); safe to repeat
	@sh tools/setup.sh "$(PYTHON)" runtime

setup-test: setup  ## also what tests and checks need
	@sh tools/setup.sh "$(PYTHON)" test
	@$(BIN)/python tools/install.py

run: setup  ## migrate, load the demo stores, serve on http://127.0.0.1:8000 (PORT=8080 for another)
	@$(BIN)/eishro dev $(if $(PORT),--port $(PORT))

test: setup-test  ## the whole gate: format, lint, types, imports, docs, tests
	@$(BIN)/python tools/gate.py

check: setup-test  ## the gate without the tests
	@$(BIN)/python tools/gate.py --no-tests

bench: setup-test  ## measure against the reference server, side by side
	@$(BIN)/python tools/install.py --bench
	@$(BIN)/python -m bench

edge-test: setup-test  ## prove the Cloudflare profile on this machine
	@$(BIN)/python tools/edge_test.py

simulate: setup-test  ## a random shop with faults and crashes (SEED=1 OPS=100000 DATABASES=sqlite)
	@$(BIN)/python tools/simulate.py $(if $(SEED),--seed $(SEED)) $(if $(OPS),--ops $(OPS)) \
		$(if $(DATABASES),--databases $(DATABASES))

audit: setup-test  ## let other people's tools look for holes; every mutant of a store filter
	@$(BIN)/python tools/audit.py

lock: setup  ## renew the lock files
	@for name in setup runtime test audit; do \
		source=requirements/$$name.in; [ $$name = runtime ] && source=pyproject.toml; \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-header \
			-o requirements/$$name.txt $$source || exit 1; done
