# Training of the video detector. Everything made on the way lies in the cache, never in the checkout.

VIDEO_DATA ?= $(DATA)/video
VIDEO_CLIPS ?= $(DATA)/clips
VIDEO_BUNDLE ?= models/video
VIDEO := $(PYTHON_TRAINING) -m training.video
FINE_TUNED := --recipe training/video/recipes/lite0-two-experts.toml
# Both may name several folders.
VIDEO_CORPORA = $(VIDEO_DATA:%=--data %)
VIDEO_JUDGED = $(VIDEO_CLIPS:%=--data %) --bundle $(VIDEO_BUNDLE)

train-video:  ## train the video detector on $(DATA)/video and write models/video (half an hour, and the clips; goes on where it was stopped)
	$(VIDEO) prepare $(VIDEO_CORPORA)
	$(VIDEO) train $(VIDEO_CORPORA)
	$(VIDEO) export $(VIDEO_CORPORA) --bundle $(VIDEO_BUNDLE)
	$(VIDEO) calibrate $(VIDEO_JUDGED)
	$(VIDEO) evaluate $(VIDEO_JUDGED) --write

fine-tune-video:  ## fine-tune two members with self-blended and reconstructed faces instead (hours), and write a bundle into VIDEO_BUNDLE
	@test "$(VIDEO_BUNDLE)" != models/video || { echo "usage: make fine-tune-video VIDEO_BUNDLE=folder" >&2; exit 2; }
	$(VIDEO) prepare $(VIDEO_CORPORA)
	$(VIDEO) synthesize $(VIDEO_CORPORA) --autoencoder $(DATA)/video/autoencoders
	$(VIDEO) train $(VIDEO_CORPORA) $(FINE_TUNED)
	$(VIDEO) export $(VIDEO_CORPORA) $(FINE_TUNED) --bundle $(VIDEO_BUNDLE)
	$(VIDEO) calibrate $(VIDEO_JUDGED)

calibrate-video:  ## set the video detector's calibration and thresholds on the clips in $(DATA)/clips that it never saw
	$(VIDEO) calibrate $(VIDEO_JUDGED)

evaluate-video:  ## judge the video detector on clips that it never saw, as found and compressed (an hour or two; goes on where it was stopped)
	$(VIDEO) evaluate $(VIDEO_JUDGED)

.PHONY: train-video fine-tune-video calibrate-video evaluate-video
