from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sg_common.sources.workspace import Workspace


def test_request_folders_are_apart_and_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two = workspace.request_folder(), workspace.request_folder()
    assert one != two
    workspace.release(one)
    assert not one.exists()
    assert two.exists()
    workspace.close()
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_killed_process_are_swept_and_those_of_a_living_one_kept(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sg_common.sources.workspace import Workspace\n"
        "w = Workspace(Path(sys.argv[1])); (w.request_folder() / 'media').write_bytes(b'x' * 100)\n"
        "print(w.folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        living = Workspace(tmp_path)
        assert any(folder.rglob("media"))
        os.kill(process.pid, signal.SIGKILL)
    successor = Workspace(tmp_path)
    assert not folder.exists()
    assert living.folder.exists()
    living.close()
    successor.close()
