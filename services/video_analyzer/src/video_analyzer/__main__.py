"""`python -m video_analyzer`."""

from __future__ import annotations

import sys

from sg_common.cli.main import service_main

from video_analyzer.service import SERVICE

sys.exit(service_main(SERVICE))
