# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test lint types verify container clean distclean

# One thread a rank: ranks are the parallelism here, and threaded BLAS only gets in their way.
export OMP_NUM_THREADS := 1
# The venv's own mpiexec must be found first: another MPI's cannot start these ranks. (Not exported: tools/setup.sh
# looks for a Python on the PATH of the user.)
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"

CASE ?= cases/demo.toml
RESULTS ?= results/demo

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12

setup: ## make .venv with pinned dependencies; checks system packages first
	@sh tools/setup.sh

demo: setup ## run the main case and leave its pictures in results/demo
	$(IN_VENV) femli run $(CASE) -o $(RESULTS) --force
	$(IN_VENV) femli render $(RESULTS)

test: lint types ## lint, types and the test suite, serial and under mpiexec (without the slow part)
	$(IN_VENV) python -m pytest -m "not slow"

verify: setup ## the full verification record: every test, the slow ones included, and docs/verification.md
	$(IN_VENV) python -m pytest -m "slow or not slow"
	$(IN_VENV) python tools/verification_record.py

lint: setup ## ruff: rules and format
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .

types: setup ## mypy
	$(IN_VENV) mypy
	$(IN_VENV) mypy tools

container: ## build the container image and run it on 2 ranks (root; installs buildah and podman)
	bash docker/test.sh

clean: ## remove results and caches, keep .venv
	rm -rf results build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf .venv
