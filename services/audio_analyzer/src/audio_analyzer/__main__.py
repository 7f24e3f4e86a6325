"""`python -m audio_analyzer`."""

from __future__ import annotations

import sys

from sg_common.cli.main import service_main

from audio_analyzer.service import SERVICE

sys.exit(service_main(SERVICE))
