from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sg_common.errors import SettingsError
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


def test_processes_that_start_together_leave_each_other_s_folders_alone(tmp_path: Path) -> None:
    def one(_: int) -> bool:
        workspace = Workspace(tmp_path)
        there = workspace.folder.is_dir() and workspace.request_folder().is_dir()
        workspace.close()
        return there

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(400)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="SG_WORK_DIR"):
        Workspace(tmp_path / "file" / "work")
