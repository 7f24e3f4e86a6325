# Measurements: every number of docs/ has its verb here. ARGS goes to the script (make bench-video ARGS='--hours 0').

FAULT_MESSAGES ?= 200
FAULT_KILLS ?= 5
FAULT_ANALYZER ?= bytes

bench-faults: setup  ## kill workers and break S3 and SQS under load; nothing may be lost
	@$(BIN)/python -m benchmarks.faults.campaign --messages $(FAULT_MESSAGES) --kills $(FAULT_KILLS) \
	  --analyzer $(FAULT_ANALYZER) $(ARGS)

bench-audio: setup  ## CPU seconds per minute of speech and memory of the audio analyzer
	@$(BIN)/python -m benchmarks.audio $(ARGS)

bench-video: setup  ## CPU time and memory of the video analyzer
	@$(BIN)/python -m benchmarks.video $(ARGS)

bench-decode: setup  ## what decoding costs: every frame, one in 30, the chosen ones, sound
	@$(BIN)/python -m benchmarks.decode $(ARGS)

bench-face-rules: setup  ## measure the face rules on the training corpus ($(DATA)/video)
	@$(BIN)/python -m benchmarks.face_rules --data $(DATA)/video $(ARGS)

bench-variants: setup  ## how far a bundle's int8 lies from fp32 on real files of $(DATA) (ARGS=audio or ARGS=video)
	@$(BIN)/python -m benchmarks.variants $(ARGS)

bench-scaling: setup  ## remake docs/scaling.md from measured clips, prices and the shipped defaults
	@$(BIN)/python -m benchmarks.scaling --measure

bench-cost-measure: setup  ## measure the CPU seconds of a clip that docs/cost.md counts with
	@$(BIN)/python -m benchmarks.cost.measure

bench-cost: setup  ## remake docs/cost.md from prices, Terraform's defaults and measured clips
	@$(BIN)/python -m benchmarks.cost.cost

bench-container: setup  ## measure the images: size, layers, cold start, peak memory
	@$(BIN)/python -m benchmarks.container $(ARGS)

bench-requests: setup  ## measure what a request costs and where its time goes, and remake docs/cost.md
	@$(BIN)/python -m benchmarks.requests $(ARGS)
	@$(BIN)/python -m benchmarks.cost.cost

bench-endurance: setup  ## decode ten thousand files in a row: memory, descriptors and processes must not grow
	@$(BIN)/python -m benchmarks.endurance $(ARGS)

.PHONY: bench-requests bench-endurance bench-faults bench-variants bench-audio bench-video bench-decode bench-face-rules bench-scaling bench-cost-measure bench-cost bench-container
