"""What the analyzers share."""

import os

# ONNX Runtime's Linux wheels report usage to their maker unless this is set before they are loaded. What people send
# here, and that they do, is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
