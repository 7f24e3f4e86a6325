"""`python -m audio_analyzer`."""

from __future__ import annotations

import sys

from sg_common.main import main

from audio_analyzer.door import SERVICE

sys.exit(main(SERVICE))
