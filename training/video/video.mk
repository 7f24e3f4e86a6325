# Training of the video detector. Everything made on the way lies in the cache, never in the checkout.

VIDEO_CORPUS ?= $(DATA)/video
VIDEO_BUNDLE ?= models/video
VIDEO_PROBE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/video/probe.pt
VIDEO_PYTHON := PYTHONPATH=.:services/video_analyzer/src $(PYTHON_TRAINING)

train-video:  ## train the video detector on $(DATA)/video and write models/video (hours; goes on where it was stopped)
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.synthesize --corpus $(VIDEO_CORPUS) --autoencoder $(DATA)/video/autoencoders
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_a.toml
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_b.toml
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE) --write

probe-video:  ## fit the small video detector instead (minutes), and write models/video
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.synthesize --corpus $(VIDEO_CORPUS) --autoencoder $(DATA)/video/autoencoders
	$(VIDEO_PYTHON) -m training.video.probe --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --probe $(VIDEO_PROBE) --name lite0-regions --version 2.0.0 --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE) --write

evaluate-video:  ## judge the shipped video detector on its held-out folds
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)

.PHONY: train-video probe-video evaluate-video
