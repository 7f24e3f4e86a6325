"""What the analyzers share."""

import os

# ONNX Runtime's Linux wheels report usage to their maker unless this is set before they are loaded. What people send
# here, and that they do, is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Two analyses that multiply at the same time were seen to spin for ever inside OpenBLAS's own thread pool; besides, its
# pool is sized by the node and not by the quota. NumPy's products here are small: one thread each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
