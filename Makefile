# Every target makes what it needs first: "make demo" and "make test" work on a fresh checkout with python3 (3.11 or
# newer, with venv) and make alone.

PYTHON ?= python3
BIN := .venv/bin
# One more than there are processors: many tests wait for a program or a server.
PYTEST_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?=
DIST_ARGS ?=
AUDIT_ARGS ?=
MATRIX ?= 12 13

export PYTHON PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test nightly matrix audit fuzz check bench bench-dashboard bench-idle bench-attached bench-smtp bench-imap profile dist format screenshots manpage schema clean

help: ## show this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20

demo: .venv/ready-for-run ## open the dashboard on a small POP3 server that comes with the program
	@$(BIN)/tui-popretr demo

test: .venv/ready-for-dev ## run the tests (PYTEST_ARGS="-k word" narrows them)
	@scripts/test-servers
	@echo "Running the tests ..."
	@$(BIN)/pytest --numprocesses $(PYTEST_WORKERS) --maxprocesses 8 $(PYTEST_ARGS)

nightly: .venv/ready-for-dist ## run the tests in their long size: 1,000 kills, a long soak, many examples; measures coverage; then audit, dist, matrix (some hours)
	@TEST_SIZE=nightly scripts/test-servers
	@TEST_SIZE=nightly SOAK_SECONDS=$${SOAK_SECONDS:-600} \
		$(BIN)/pytest --numprocesses $(PYTEST_WORKERS) --maxprocesses 8 --timeout 1800 --cov $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory audit dist matrix

matrix: ## run make demo and make test in an empty Debian 12 and an empty Debian 13 (root; MATRIX="13" for one of them)
	@for release in $(MATRIX); do scripts/matrix $$release || exit; done

audit: .venv/ready-for-dist ## look for known vulnerabilities in what the program needs (AUDIT_ARGS="--strict": fail if a package is unknown)
	@$(BIN)/pip-audit --progress-spinner off $(AUDIT_ARGS) .

fuzz: .venv/ready-for-fuzz ## fuzz what reads from outside, guided by coverage (FUZZ_RUNS or FUZZ_SECONDS for each target; FUZZ_ARGS="logins")
	@$(BIN)/python -m tests.fuzz --runs $${FUZZ_RUNS:-150000} --seconds $${FUZZ_SECONDS:-0} $(FUZZ_ARGS)

check: .venv/ready-for-dev ## check format, style, types, which module may import which, and the workflows
	@echo "Format (ruff):" && $(BIN)/ruff format --check .
	@echo "Style (ruff):" && $(BIN)/ruff check .
	@echo "Types (mypy):" && $(BIN)/mypy
	@echo "Imports (import-linter):" && $(BIN)/lint-imports --no-logo
	@echo "Workflows (check-jsonschema, zizmor):"
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --offline --no-progress --quiet .github/workflows

bench: .venv/ready-for-dev ## compare with other retrievers (BENCH_ARGS="--rows small,fleet" narrows it; BENCH_DIR: a folder on a disk)
	@scripts/test-servers
	@$(BIN)/python -m benchmarks.peers $(BENCH_ARGS)

bench-dashboard: .venv/ready-for-run ## measure what the dashboard costs (BENCH_ARGS="--quick busy" narrows it)
	@$(BIN)/python -m benchmarks.dashboard $(BENCH_ARGS)

bench-idle: .venv/ready-for-dev ## measure a daemon with 10,000 clients that have no mail (some seven minutes)
	@$(BIN)/python -m benchmarks.idle $(BENCH_ARGS)

bench-attached: .venv/ready-for-run ## measure the control socket: attach, memory with 20 readers, lag (BENCH_ARGS="--quick paint")
	@$(BIN)/python -m benchmarks.attached $(BENCH_ARGS)

bench-smtp: .venv/ready-for-dev ## measure delivery into a mail server (BENCH_ARGS="--postfix" for a real one)
	@$(BIN)/python -m benchmarks.smtp $(BENCH_ARGS)

bench-imap: .venv/ready-for-dev ## measure delivery into an IMAP server (BENCH_ARGS="--delay 40": far away; "--memory": one message of 1 GB)
	@scripts/test-servers
	@$(BIN)/python -m benchmarks.imap $(BENCH_ARGS)

profile: .venv/ready-for-dev ## see where the time goes (BENCH_ARGS="--row large" for another kind of work)
	@scripts/test-servers
	@$(BIN)/python -m benchmarks.profiled $(BENCH_ARGS)

dist: .venv/ready-for-dist ## build the packages twice, compare them and try them (DIST_ARGS="--suite": with the tests of the sdist)
	@$(BIN)/python -m scripts.dist $(DIST_ARGS)

format: .venv/ready-for-dev ## bring the code into the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

screenshots: .venv/ready-for-dev ## draw the pictures in docs/images again
	@$(BIN)/python -m scripts.screenshots

manpage: .venv/ready-for-dev ## write the manual pages, the completions and the sample unit again, from the parser and the declarations
	@$(BIN)/python -m scripts.manpage
	@$(BIN)/python -m scripts.manpage_xml
	@$(BIN)/python -m scripts.completions
	@$(BIN)/python -m scripts.unit

schema: .venv/ready-for-dev ## write docs/control.schema.json from the messages of the control socket
	@$(BIN)/python -m scripts.control_schema

clean: ## remove the virtual environment and what tools have left behind
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The version is in __init__.py.
INSTALLED_FROM := pyproject.toml tui_popretr/__init__.py scripts/set-up

.venv/ready-for-run: $(INSTALLED_FROM)
	@scripts/set-up run

.venv/ready-for-dev: $(INSTALLED_FROM)
	@scripts/set-up dev

.venv/ready-for-fuzz: .venv/ready-for-dev
	@scripts/set-up fuzz

.venv/ready-for-dist: .venv/ready-for-dev
	@scripts/set-up dist
