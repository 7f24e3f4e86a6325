from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

SERVE = """
import sys
from types import SimpleNamespace
from sg_common.cli.serve import run_serve
sys.exit(run_serve([SimpleNamespace(kind=kind, name=kind, port=0) for kind in sys.argv[1:]]))
"""
# One write each: an unbuffered print takes two, and the services share the pipe.
QUICK = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(1, b"waiting\\n")
signal.pause()
"""
SLOW = """
import os, signal, sys, time
def finish(*_):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    time.sleep(1)
    sys.exit(0)
signal.signal(signal.SIGTERM, finish)
os.write(1, b"waiting\\n")
signal.pause()
"""
FAILING = "import sys, time; time.sleep(2); sys.exit(3)"


def ended(folder: Path, waiting: int, *signals: int, **services: str) -> int:
    """Serve these modules, and send the signals when so many wait for them; the exit status."""
    for kind, source in services.items():
        (folder / f"{kind}_analyzer.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SERVE, *services]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            for _ in range(waiting):
                assert process.stdout.readline() == b"waiting\n"
            for number in signals:
                process.send_signal(number)
            return process.wait(30)
        finally:
            process.kill()


def test_a_service_is_not_cut_short_by_one_that_ends_sooner(tmp_path: Path) -> None:
    assert ended(tmp_path, 2, signal.SIGTERM, quick=QUICK, slow=SLOW) == 0


def test_a_service_that_fails_ends_the_other(tmp_path: Path) -> None:
    assert ended(tmp_path, 1, quick=QUICK, failing=FAILING) == 3
