# The fault campaign: make bench-faults FAULT_MESSAGES=2000 FAULT_KILLS=20

FAULT_MESSAGES ?= 200
FAULT_KILLS ?= 5
FAULT_ANALYZER ?= digest

bench-faults: setup  ## kill workers and break S3 and SQS under load; nothing may be lost
	@$(BIN)/python -m benchmarks.faults.campaign --messages $(FAULT_MESSAGES) --kills $(FAULT_KILLS) \
	  --analyzer $(FAULT_ANALYZER) $(FAULT_ARGUMENTS)

.PHONY: bench-faults
