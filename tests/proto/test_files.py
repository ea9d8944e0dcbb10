"""Files written whole or not at all, for their owner."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from xinyidai.files import LooseFile, create_whole, refuse_loose, write_whole


def full_disk(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_written_is_for_its_owner_whoever_could_read_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        write_whole(path, b"new")
        create_whole(tmp_path / "other", b"first")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    for made in tmp_path.iterdir():
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        refuse_loose(made)


def test_a_link_is_replaced_and_what_it_names_is_left_alone(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere", tmp_path / "key"
    target.write_bytes(b"of somebody else")
    link.symlink_to(target)
    write_whole(link, b"mine")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"of somebody else", b"mine", False)


def test_a_file_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: create_whole(path, bytes([number]) * 100_000), range(8)))
    made = path.read_bytes()
    assert made == made[:1] * 100_000, "one of them, and whole"
    create_whole(path, b"later")
    assert path.read_bytes() == made
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_whole, create_whole])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object) -> None:
    assert callable(write)
    (tmp_path / "there").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    for name in ("there", "new"):
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path / name, b"half")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("there", b"old")]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_file_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_whole(path, b"x")
    path.chmod(mode)
    with pytest.raises(LooseFile, match="chmod go="):
        refuse_loose(path)
