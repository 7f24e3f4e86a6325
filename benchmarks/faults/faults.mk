# The fault campaign: make bench-faults FAULT_MESSAGES=2000 FAULT_KILLS=20

FAULT_MESSAGES ?= 200
FAULT_KILLS ?= 5
FAULT_ANALYZER ?= digest

bench-faults: setup  ## kill workers and break S3 and SQS under load; nothing may be lost
	@$(BIN)/python -m benchmarks.faults.campaign --messages $(FAULT_MESSAGES) --kills $(FAULT_KILLS) \
	  --analyzer $(FAULT_ANALYZER) $(FAULT_ARGUMENTS)

bench-scaling: setup  ## remake docs/scaling.md from measured clips, prices and the shipped defaults
	@$(BIN)/python -m benchmarks.scaling --measure

bench-requests: setup  ## measure what a request costs and where its time goes, for docs/cost.md
	@$(BIN)/python -m benchmarks.requests
	@$(PYTHON) -m benchmarks.cost.cost

ENDURANCE_FILES ?= 10000

bench-endurance: setup  ## decode ten thousand files in a row: memory, descriptors and processes must not grow
	@$(BIN)/python -m benchmarks.endurance --files $(ENDURANCE_FILES)

.PHONY: bench-faults bench-scaling bench-requests bench-endurance
