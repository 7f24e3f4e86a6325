"""`python -m video_analyzer`."""

from __future__ import annotations

import sys

from sg_common.main import main

from video_analyzer.door import SERVICE

sys.exit(main(SERVICE))
