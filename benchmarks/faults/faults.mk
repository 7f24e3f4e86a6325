# The fault campaign: make bench-faults FAULT_MESSAGES=2000 FAULT_KILLS=20

FAULT_MESSAGES ?= 200
FAULT_KILLS ?= 5
FAULT_ANALYZER ?= digest

bench-faults: setup  ## kill workers and break S3 and SQS under load; nothing may be lost
	@$(BIN)/python -m benchmarks.faults.campaign --messages $(FAULT_MESSAGES) --kills $(FAULT_KILLS) \
	  --analyzer $(FAULT_ANALYZER) $(FAULT_ARGUMENTS)

bench-scaling: setup  ## remake docs/scaling.md from measured clips, prices and the shipped defaults
	@$(BIN)/python -m benchmarks.scaling --measure

.PHONY: bench-faults bench-scaling
