# Two commands do all the set-up: `make study` runs the embedded study, `make test` passes the tests.
STUDY ?= config.yaml
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
GPUS ?= 8
# The first Python of 3.11 to 3.13, for which every package is built, else a newer one; PYTHON=... chooses another.
PYTHON ?= $(shell for minor in 14 99; do for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$minor))" 2>/dev/null && echo $$p && exit; done; done)

# Compiling the code anew at each start of Python would be a third of a start.
unexport PYTHONDONTWRITEBYTECODE

# The tools of the environment call each other by name.
IN_VENV = PATH="$(CURDIR)/.venv/bin:$$PATH"

.PHONY: study resolve forecast plan explain tidy resume test test-all test-gpu unit lint bench calibrate format schema docs lock unlock clean help
.DEFAULT_GOAL := help

help:
	@echo "make study                        run the embedded study, then results/nursery/report.html"
	@echo "make study STUDY=studies/x.yaml   run another study"
	@echo "make forecast STUDY=... GPUS=8    what a study would cost: jobs, hours, disk; nothing is run"
	@echo "make plan STUDY=... DETECT=0.05   what designs could detect and cost; PILOT=results/x: variance of that study"
	@echo "make test                         the tests, in some twenty minutes; make unit: the fast ones; make lint: the linters"
	@echo "make test-all                     all tests, also those that take minutes and rarely fail"
	@echo "make test-gpu                     what a GPU computes against references, on a machine that has one"
	@echo "make resolve STUDY=...            branches that a study names become commits, kept in hub.lock.yaml"
	@echo "make docs                         these pages as a site with search, in site/; links are checked"
	@echo "make bench                        speed against the reference tools; make bench ONLY=prediction: one of them"
	@echo "make calibrate                    how often verdicts are right on drawn studies: docs/calibration.md, in some hours"
	@echo "make explain STUDY=...            which jobs would run, and why; ACCEPT=code takes results of other code as they are"
	@echo "make tidy STUDY=...               what is left over in results/; MOVE=1 moves it aside"
	@echo "make resume                       on SLURM, after Snakemake was killed: ends the jobs it left, then goes on"
	@echo "make unlock                       after a run was killed, when no other is at work"

study: .venv/bin/ripeness
	@.venv/bin/python scripts/run_study.py --study "$(STUDY)" --cores "$(CORES)"

# Tests wait as much as they compute, so three at once; those of one file share what they have run.
PYTEST = .venv/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test: .venv/ready-dev lint
	@$(PYTEST) -m "not release"

# On a machine with a GPU: the same bodies as tests of other folders, on that device. DEVICE=far or cpu runs them without.
test-gpu: .venv/ready-dev
	@RIPENESS_TEST_DEVICE="$(or $(DEVICE),cuda)" .venv/bin/python -m pytest -rs tests/gpu

# Before a release, or after a change of what a study does as a whole.
test-all: .venv/ready-dev lint
	@$(PYTEST)

unit: .venv/ready-dev
	@.venv/bin/python -m pytest tests/unit

lint: .venv/ready-dev
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy
	@.venv/bin/codespell
	@PYTHONPATH=scripts .venv/bin/lint-imports --no-logo --no-cache
	@$(IN_VENV) snakefmt --check Snakefile rules
	@$(IN_VENV) .venv/bin/python -m snakemake --lint

# Against the reference tools, on a quiet machine: some hours; one alone: make bench ONLY=prediction
bench: .venv/ready-dev
	@.venv/bin/python benchmarks/run.py $(if $(ONLY),--only $(ONLY))

# Some hours; a part: .venv/bin/python scripts/calibrate.py --studies 50 --cells null
calibrate: .venv/ready
	@.venv/bin/python scripts/calibrate.py --jobs "$(CORES)"

format: .venv/ready-dev
	@.venv/bin/python -m ruff check --fix .
	@.venv/bin/python -m ruff format .
	@$(IN_VENV) snakefmt Snakefile rules

# After a kind of tuning, or a column of a table, was added or changed.
schema: .venv/ready-dev
	@PYTHONPATH=scripts .venv/bin/python -m ripeness.study.methods.schema_part
	@PYTHONPATH=scripts .venv/bin/python -m ripeness.tables.dictionary

# Without a network; to read it with search: .venv/bin/python -m http.server -d site
docs: .venv/ready-dev
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build

# Only what is not in the lock file yet; again: make resolve UPDATE=1 STUDY=...
resolve: .venv/ready
	@.venv/bin/python scripts/resolve_revisions.py --study "$(STUDY)" $(if $(UPDATE),--update)

# Jobs, hours and disk of what would run now; nothing is run: make forecast STUDY=... GPUS=8
forecast: .venv/ready
	@.venv/bin/python scripts/forecast.py --study "$(STUDY)" --gpus "$(GPUS)"

# What designs of the study could detect, and what they cost: make plan STUDY=... DETECT=0.05 PILOT=results/x
plan: .venv/ready
	@.venv/bin/python scripts/plan_design.py --study "$(STUDY)" $(if $(DETECT),--detect "$(DETECT)") $(if $(PILOT),--pilot "$(PILOT)")

# Which jobs would run and why; after an update that changes no number: make explain ACCEPT=code STUDY=...
explain: .venv/ready
	@.venv/bin/python scripts/explain_reruns.py --study "$(STUDY)" $(if $(ACCEPT),--accept "$(ACCEPT)")

# What the folder of a study holds that the study no longer has.
tidy: .venv/ready
	@.venv/bin/python scripts/tidy_results.py --study "$(STUDY)" $(if $(MOVE),--move)

# On a cluster, after Snakemake was killed: ends the jobs that it has left behind, then goes on.
resume: .venv/ready
	@.venv/bin/python scripts/cancel_jobs.py
	@$(IN_VENV) .venv/bin/python -m snakemake --profile slurm --configfile "$(STUDY)" --unlock
	@$(IN_VENV) .venv/bin/python -m snakemake --profile slurm --configfile "$(STUDY)"

unlock: .venv/ready
	@.venv/bin/python -m snakemake --unlock --cores 1

clean:
	rm -rf results logs .snakemake

# A Python that an upgrade of the system has removed or replaced leaves an environment without its packages.
.PHONY: venv-works
venv-works:
	@test ! -e .venv/ready || .venv/bin/python -c \
		"import importlib.util as u, sys; sys.exit(u.find_spec('snakemake') is None)" 2>/dev/null || { \
		echo "error: the Python with which .venv was made has gone or is another one now" >&2; \
		echo "hint: rm -r .venv, and the same again; it is set up again, and no result is lost" >&2; exit 2; }

.venv/ready: requirements.lock | venv-works
	@test -n "$(PYTHON)" || { echo "error: no Python of 3.11 or newer was found" >&2; \
		echo "hint: install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "setting up .venv with $(PYTHON); this takes some minutes, once"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
		echo "hint: on Debian, apt-get install python3-venv" >&2; exit 2; }
	@.venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -q -r requirements.lock || { \
		$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 14))" && echo "hint: this Python must compile some" \
		"packages (Debian: apt-get install gcc python3-dev); or make PYTHON=python3.13" >&2; exit 2; }
	@touch .venv/ready

# The command `ripeness` of this clone, which no package has installed.
.venv/bin/ripeness: .venv/ready
	@printf '%s\n' '#!/bin/sh' 'here=$$(dirname "$$(readlink -f "$$0")")' \
		'exec "$$here/python" "$$here/../../scripts/ripeness" "$$@"' > $@
	@chmod +x $@

# What tests and benchmarks need in addition.
.venv/ready-dev: requirements-dev.lock .venv/ready
	@echo "adding what the tests need to .venv; once"
	@.venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -q -r requirements.lock \
		-r requirements-dev.lock
	@touch .venv/ready-dev

COMPILE = uv pip compile --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url
PINS = grep -vE "^(nvidia-|cuda-|triton)|sys_platform == 'win32'|== 'emscripten'|os_name == 'nt'"

# Resolves for every Python from 3.11 on; needs `uv`. The second lock holds what the first does not.
lock:
	$(COMPILE) requirements.in -o requirements.all
	{ head -2 requirements.lock; $(PINS) requirements.all | LC_ALL=C sort; } > requirements.new
	$(COMPILE) requirements-dev.in -c requirements.all -o requirements-dev.all
	{ head -2 requirements-dev.lock; $(PINS) requirements-dev.all | grep -vxFf requirements.new | LC_ALL=C sort; } \
		> requirements-dev.new
	{ sed '/- pip:/q' envs/ripeness.yaml; sed '/^#/d; s/.*/      - "&"/' requirements.new; } >envs/ripeness.new
	mv envs/ripeness.new envs/ripeness.yaml
	mv requirements.new requirements.lock
	mv requirements-dev.new requirements-dev.lock
	rm requirements.all requirements-dev.all
