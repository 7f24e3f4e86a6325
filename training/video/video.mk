# Training of the video detector. Everything made on the way lies in the cache, never in the checkout.

VIDEO_CORPUS ?= $(DATA)/video
VIDEO_BUNDLE ?= models/video
VIDEO_EXPERTS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/video/experts.pt
VIDEO_PYTHON := PYTHONPATH=.:services/video_analyzer/src $(PYTHON_TRAINING)

train-video:  ## train the video detector on $(DATA)/video and write models/video (half an hour; goes on where it was stopped)
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.experts --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --experts $(VIDEO_EXPERTS) --name lite0-regions --version 3.2.0 --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE) --write

fine-tune-video:  ## fine-tune two members with self-blended and reconstructed faces instead (hours), and write models/video
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.synthesize --corpus $(VIDEO_CORPUS) --autoencoder $(DATA)/video/autoencoders
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_a.toml
	$(VIDEO_PYTHON) -m training.video.train --corpus $(VIDEO_CORPUS) --config training/video/config/member_b.toml
	$(VIDEO_PYTHON) -m training.video.export --corpus $(VIDEO_CORPUS) --out $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.calibrate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE) --write

evaluate-video:  ## judge the shipped video detector on its held-out folds
	$(VIDEO_PYTHON) -m training.video.prepare --corpus $(VIDEO_CORPUS)
	$(VIDEO_PYTHON) -m training.video.evaluate --corpus $(VIDEO_CORPUS) --bundle $(VIDEO_BUNDLE)

.PHONY: train-video fine-tune-video evaluate-video
