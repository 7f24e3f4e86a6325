# Training of the audio detector. Everything made on the way lies in the cache, never in the checkout.

AUDIO_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/audio
AUDIO_DATA := --data $(DATA)/audio --data $(AUDIO_CACHE)/synthesized
AUDIO_BUNDLE ?= models/audio

train-audio:  ## train the audio detector on $(DATA)/audio and write models/audio (hours; goes on where it was stopped)
	$(PYTHON_TRAINING) -m training.audio.synthesize --data $(DATA)/audio
	$(PYTHON_TRAINING) -m training.audio.prepare $(AUDIO_DATA)
	$(PYTHON_TRAINING) -m training.audio.train $(AUDIO_DATA)
	$(PYTHON_TRAINING) -m training.audio.export $(AUDIO_DATA) --out $(AUDIO_BUNDLE) --int8
	$(PYTHON_TRAINING) -m training.audio.calibrate --data $(DATA)/audio --bundle $(AUDIO_BUNDLE)
	$(PYTHON_TRAINING) -m training.audio.evaluate $(AUDIO_DATA) --bundle $(AUDIO_BUNDLE) --write

evaluate-audio:  ## judge the shipped audio detector on its held-out folds
	$(PYTHON_TRAINING) -m training.audio.evaluate $(AUDIO_DATA) --bundle $(AUDIO_BUNDLE)

test-training:  ## test the training code on a tiny corpus made at test time
	$(PYTHON_TRAINING) -m pytest --confcutdir training training/tests

.PHONY: train-audio evaluate-audio test-training
