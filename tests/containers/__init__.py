"""Tests of the images and the local stack on a real container engine: `make test-containers`."""
