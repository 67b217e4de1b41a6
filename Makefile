# make book: build the book, computing every number on this machine.  make help: everything else.
PYTHON    ?= python3
PROFILE   ?= smoke
JOBS      ?= 2
SOLUTIONS ?= yes
PLAN      ?= no
CLUSTER   ?= no
ONLY      ?=

comma := ,
space := $() $()
BIN   := .venv/bin
READY := .venv/.installed
APART := --ignore=tests/browser --ignore=tests/cluster --ignore=tests/long
UV    := uv==$(shell sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements.lock)

export PAPERLIB_BUILD := $(CURDIR)/_build

# Invalid values are refused before any work starts.
ifneq ($(words $(PROFILE)) $(filter $(PROFILE),recorded smoke laptop paper),1 $(PROFILE))
$(error PROFILE='$(PROFILE)' is not one of recorded, smoke, laptop, paper)
endif
ifeq ($(shell expr '$(JOBS)' : '[1-9][0-9]*$$'),0)
$(error JOBS='$(JOBS)' is not a positive number)
endif
ifneq ($(words $(SOLUTIONS)) $(filter $(SOLUTIONS),yes no),1 $(SOLUTIONS))
$(error SOLUTIONS='$(SOLUTIONS)' is not one of yes, no)
endif
ifneq ($(words $(CLUSTER)) $(filter $(CLUSTER),no slurm),1 $(CLUSTER))
$(error CLUSTER='$(CLUSTER)' is not one of no, slurm)
endif
ifneq ($(words $(PLAN)) $(filter $(PLAN),yes no),1 $(PLAN))
$(error PLAN='$(PLAN)' is not one of yes, no)
endif
ifneq ($(filter page record,$(MAKECMDGOALS)),)
ifneq ($(words $(PAGE)),1)
$(error PAGE='$(PAGE)' is not the name of a page: $(basename $(notdir $(wildcard notebooks/*.py))))
endif
endif

.PHONY: help book page record rehearse test test-slow test-browser test-cluster test-long bench pair lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make book [PROFILE=smoke|recorded|laptop|paper] [JOBS=2] [SOLUTIONS=yes|no]   compute every page, build the book'
	@echo 'make book PROFILE=paper PLAN=yes                                     estimate the cost of the papers settings on this device; list missing files'
	@echo 'make page PAGE=X [PROFILE=...] [ARGS="-p alpha 0.3"]                 compute one page, with other parameters'
	@echo 'make record PAGE=X [PROFILE=laptop|paper] [SEEDS=0,1,2]              copy the results of a page to results/, ready to commit'
	@echo 'make rehearse [PAGE=X]                                               run PROFILE=paper with every amount scaled down'
	@echo 'make test                                                            check style and notebook pairs, run the tests'
	@echo 'make test-slow                                                       run the tests that make test leaves out (five seconds of a core or more each)'
	@echo 'make test-browser                                                    test the built book in Chromium'
	@echo 'make test-long                                                       kill each kind of run at fifty random moments, fill disks (an hour or two)'
	@echo 'make test-cluster                                                    build the smoke book as Slurm jobs on this machine (root, slurm-wlm)'
	@echo 'make book CLUSTER=slurm [JOBS=20] [ONLY="page page"]                 run pages and steps as Slurm jobs'
	@echo 'make bench                                                           compare speed with public libraries, on an idle machine'
	@echo 'make pair                                                            sync the .py and .ipynb of each page'
	@echo 'make lock                                                            pin the newest versions in requirements.lock'
	@echo 'make clean                                                           remove all computed files'

book: $(READY)
ifeq ($(PLAN),yes)
	@$(BIN)/python -m companion cost --profile $(PROFILE)
else
	@$(BIN)/python -m companion book --profile $(PROFILE) --jobs $(JOBS) --solutions $(SOLUTIONS) --cluster $(CLUSTER) --only '$(subst $(space),$(comma),$(strip $(ONLY)))'

endif

page: $(READY)
	@$(BIN)/python -m companion page $(PAGE) --profile $(PROFILE) $(ARGS)

record: PROFILE = laptop
record: $(READY)
	@$(BIN)/python -m companion record $(PAGE) --profile $(PROFILE) $(if $(SEEDS),--seeds $(SEEDS))

rehearse: $(READY)
	@$(BIN)/python -m companion rehearse $(PAGE)

test: $(READY)
	$(BIN)/ruff check paperlib companion tests notebooks benchmarks
	$(BIN)/ruff format --check --quiet paperlib companion tests notebooks benchmarks
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q -n $(JOBS) -m 'not slow' $(APART) tests

test-slow: $(READY)
	$(BIN)/python -m pytest -q -n $(JOBS) -m slow $(APART) tests

test-browser: $(READY)
	$(BIN)/python -m pytest -q tests/browser

test-cluster: $(READY)
	$(BIN)/python -m pytest -q -p no:xdist tests/cluster

test-long: $(READY)
	$(BIN)/python -m pytest -q -p no:xdist tests/long

bench: $(READY)
	@$(BIN)/python benchmarks

pair: $(READY)
	$(BIN)/jupytext --sync notebooks/*.py

lock: $(READY)
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	  --no-emit-index-url --upgrade --quiet pyproject.toml -o requirements.lock

clean:
	rm -rf _build .snakemake

# The environment is built once, and again when requirements.lock or pyproject.toml changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import platform, sys; \
	  sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; $(PYTHON) is " + platform.python_version() + ". Name another: make PYTHON=python3.12 ..."); \
	  sys.platform == "linux" or (sys.platform, platform.machine()) == ("darwin", "arm64") or sys.exit("Linux or macOS on Apple silicon is needed (Windows: inside WSL).")'
	@echo 'Making the environment in .venv (a few minutes, once) ...'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)'
	@# Compile once here: if Python is told not to keep bytecode, every page's kernel would compile torch again.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
