"""Model bundles: a folder with `model.json`, its ONNX files, a golden input and a card. `docs/bundle.md` describes it.

`spec`: what `model.json` may say, task by task. `calibration`: from logits to probabilities and verdicts. `variants`:
which file a CPU runs. `load`: a checked bundle, ready to run.
"""
