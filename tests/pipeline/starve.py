"""Running a command where a folder has no room, where no file may grow, and where a folder cannot be written."""

from __future__ import annotations

import functools
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FULL, SMALL, READ_ONLY = "full disk", "no large file", "read-only folder"
WAYS = (FULL, SMALL, READ_ONLY)
SIZE = 4096  # bytes that a file may have
# Mounts of the command's own, which end with it. What is in the folder afterwards is copied out; a file that the
# command could not replace is there as it was.
IN_A_MOUNT = """
folder=$1 after=$2; shift 2
{mount}
set +e; "$@"; status=$?
rm -f "$folder/ballast"; cp -a "$folder/." "$after"; exit $status
"""
DISK = """
mount -t tmpfs -o size={size}k none "$folder"; cp -a "$after/." "$folder"; rm -rf "$after"; mkdir "$after"
cat /dev/zero > "$folder/ballast" 2>/dev/null || true
"""
BOUND = 'mount --bind "$folder" "$folder"; mount -o remount,bind,ro "$folder"; rm -rf "$after"; mkdir "$after"'


def starved(way: str, folder: Path, command: tuple[str, ...], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose working directory is the parent of ``folder``, with that starved, but for what it holds.

    Skips the test where the system does not allow it.
    """
    run = functools.partial(subprocess.run, cwd=folder.parent, capture_output=True, text=True, timeout=1200, **options)
    if way == SMALL:
        return run(command, preexec_fn=no_large_file)
    if way == READ_ONLY and os.getuid() != 0:
        return _without_permission(folder, lambda: run(command))
    private = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or run([*private, "true"]).returncode != 0:
        pytest.skip("this system gives no mounts of one's own")
    after = folder.with_name(f"{folder.name}-after")
    shutil.copytree(folder, after)
    used = sum(path.stat().st_size for path in folder.rglob("*")) // 1024
    mount = DISK.format(size=used + 64) if way == FULL else BOUND
    done = run([*private, "sh", "-ec", IN_A_MOUNT.format(mount=mount), "sh", str(folder), str(after), *command])
    shutil.rmtree(folder)
    after.rename(folder)
    return done


def no_large_file() -> None:
    """For ``preexec_fn``: from here on, no file of this process and those that it starts grows beyond a few kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, SIZE))


def _without_permission(folder: Path, run: Callable[[], subprocess.CompletedProcess]) -> subprocess.CompletedProcess:
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        return run()
    finally:
        for path in folders:
            path.chmod(0o755)
