# Training of the video detector. Everything made on the way lies in the cache, never in the checkout.

VIDEO_CLIPS ?= $(DATA)/clips
VIDEO_BUNDLE ?= models/video
VIDEO := $(PYTHON_TRAINING) -m training.video
# May name several folders.
VIDEO_DATA = $(VIDEO_CLIPS:%=--data %)
VIDEO_JUDGED = $(VIDEO_DATA) --bundle $(VIDEO_BUNDLE)

train-video:  ## train the video detector on $(DATA)/clips and write models/video (an hour or two; goes on where it was stopped)
	$(VIDEO) prepare $(VIDEO_DATA)
	$(VIDEO) train $(VIDEO_DATA)
	$(VIDEO) export $(VIDEO_JUDGED)
	$(VIDEO) calibrate $(VIDEO_JUDGED)
	$(VIDEO) evaluate $(VIDEO_JUDGED) --write

calibrate-video:  ## set the video detector's calibration and thresholds on the clips in $(DATA)/clips
	$(VIDEO) calibrate $(VIDEO_JUDGED)

evaluate-video:  ## judge the video detector by members that never saw the clips, as found and compressed (an hour; goes on where it was stopped)
	$(VIDEO) evaluate $(VIDEO_JUDGED)

.PHONY: train-video calibrate-video evaluate-video
