# Training of the video detector. Everything made on the way lies in the cache, never in the checkout.

VIDEO_CORPUS ?= $(DATA)/video
VIDEO_CLIPS ?= $(DATA)/clips
VIDEO_BUNDLE ?= models/video
VIDEO_EXPERTS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/video/experts.pt
VIDEO_PYTHON := PYTHONPATH=.:services/video_analyzer/src $(PYTHON_TRAINING)

train-video:  ## train the video detector on $(DATA)/video and write models/video (half an hour; goes on where it was stopped)
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.experts --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --experts $(VIDEO_EXPERTS) --name lite0-regions --version 3.2.0 --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE) --write

fine-tune-video:  ## fine-tune two members with self-blended and reconstructed faces instead (hours), and write models/video
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.synthesize --corpus $(VIDEO_CORPUS) --autoencoder $(DATA)/video/autoencoders
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_a.toml
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_b.toml
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE) --write

calibrate-video:  ## set the video detector's calibration and thresholds on the clips in $(DATA)/clips that it never saw
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE)

evaluate-video:  ## judge the video detector on clips that it never saw, as found and compressed (an hour or two; goes on where it was stopped)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CLIPS) --bundle $(VIDEO_BUNDLE)

.PHONY: train-video fine-tune-video calibrate-video evaluate-video
