# Everything runs in a virtual environment of the repository's own, .venv; nothing else on the machine is touched.
.PHONY: help demo rehearse test coverage check chaos bench bench-fleet reality image lock clean
.DEFAULT_GOAL := help
bin := .venv/bin
# What is installed is compiled when it is first imported; where the machine forbids to keep that, every process that a
# test or the demo starts would compile it again: SQLAlchemy alone for a second.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make demo    drain a local queue on this machine, with no account'
	@echo 'make rehearse   a day of the fleet, simulated (ARGS="--messages 20000 --seconds 30..300 --from 04:00 --by 09:00")'
	@echo 'make test    make check, then all tests (pytest arguments: ARGS="-k lease")'
	@echo 'make coverage   the same tests, traced: what no test runs; it takes half as long again'
	@echo 'make check   ruff and mypy'
	@echo 'make chaos   messages through a storm of faults, on PostgreSQL and on SQLite (ARGS="--seconds 300 --seed 7")'
	@echo 'make bench   the figures of the README, measured here'
	@echo 'make bench-fleet   the tables of docs/scaling.md, rehearsed here (ARGS="--days 100 policies")'
	@echo 'make reality   short days with real containers, beside what the rehearsal says of them; 16 minutes'
	@echo 'make image   build the container image, consumer:latest'
	@echo 'make lock    pin the dependencies again after a change in pyproject.toml'
	@echo 'make clean   remove the environment and everything that was generated'

demo: .venv/.demo
	@$(bin)/consumer demo $(ARGS)

rehearse: .venv/.plan
	@$(bin)/consumer rehearse $(or $(ARGS),--messages 2000 --seconds 30..300 --from 04:00 --by 09:00)

test: check
	$(bin)/python -m pytest --numprocesses 5 --dist loadgroup $(ARGS)

coverage:
	$(MAKE) test ARGS='--cov --cov-report=term $(ARGS)'

check: .venv/.test
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

chaos: .venv/.test
	@PYTHONPATH=tests $(bin)/python -m chaos.run $(ARGS)

bench: .venv/.test
	$(bin)/python benchmarks/run.py $(ARGS)

bench-fleet: .venv/.plan
	@$(bin)/python benchmarks/fleet.py $(ARGS)

reality: .venv/.test
	@PYTHONPATH=tests $(bin)/python benchmarks/reality.py $(ARGS)

image:
	scripts/image

lock: .venv/bin/python
	scripts/lock $(ARGS)

clean:
	rm -rf .venv .localstack dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis benchmarks/results
	find . -name __pycache__ -prune -exec rm -rf {} +

# Installed again only when what is asked for has changed. The packages come pinned and by their hashes, and then
# this one, in place: what is edited is what runs.
.venv/.demo: requirements/demo.txt pyproject.toml | .venv/bin/python
	@scripts/install demo
	@touch $@

.venv/.plan: requirements/plan.txt pyproject.toml | .venv/bin/python
	@scripts/install plan
	@touch $@

.venv/.test: requirements/test.txt pyproject.toml | .venv/bin/python
	@scripts/install test
	@touch $@ .venv/.demo .venv/.plan

.venv/bin/python:
	@scripts/venv
