# Training of the audio detector. Everything made on the way lies in the cache, never in the checkout.

AUDIO_MADE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/silver-guardian/audio/synthesized
AUDIO_DATA ?= $(DATA)/audio
AUDIO_CALLS ?= $(DATA)/calls
AUDIO_BUNDLE ?= models/audio
AUDIO := $(PYTHON_TRAINING) -m training.audio
# A folder of music, if there is one; without it, what is heard beside speech is synthetic alone.
AUDIO_MUSIC ?=
AUDIO_HEARD = $(AUDIO_MUSIC:%=--music %)
# The first folder is judged; AUDIO_DATA may name several.
AUDIO_CORPORA = $(AUDIO_DATA:%=--data %)

train-audio:  ## train the audio detector on $(DATA)/audio and write models/audio (hours; goes on where it was stopped)
	$(AUDIO) synthesize $(AUDIO_CORPORA) --out $(AUDIO_MADE)
	$(AUDIO) prepare $(AUDIO_CORPORA) --data $(AUDIO_MADE) $(AUDIO_HEARD)
	$(AUDIO) train $(AUDIO_CORPORA) --data $(AUDIO_MADE) $(AUDIO_HEARD)
	$(AUDIO) export $(AUDIO_CORPORA) --data $(AUDIO_MADE) $(AUDIO_HEARD) --bundle $(AUDIO_BUNDLE)
	$(AUDIO) calibrate $(AUDIO_CORPORA) --bundle $(AUDIO_BUNDLE)
	$(AUDIO) calls --data $(firstword $(AUDIO_DATA)) --data $(AUDIO_CALLS) --bundle $(AUDIO_BUNDLE) --write
	$(AUDIO) evaluate $(AUDIO_CORPORA) --data $(AUDIO_MADE) --bundle $(AUDIO_BUNDLE) --write

evaluate-audio:  ## judge the shipped audio detector on its held-out folds
	$(AUDIO) evaluate $(AUDIO_CORPORA) --data $(AUDIO_MADE) --bundle $(AUDIO_BUNDLE)

calibrate-calls:  ## set what voices, stretches and policies are worth on $(DATA)/audio and $(DATA)/calls, and write the card's tables
	$(AUDIO) calls --data $(firstword $(AUDIO_DATA)) --data $(AUDIO_CALLS) --bundle $(AUDIO_BUNDLE) --write

test-training:  ## test the training code on a tiny corpus made at test time
	$(PYTHON_TRAINING) -m pytest --confcutdir training training/tests

.PHONY: train-audio evaluate-audio calibrate-calls test-training
