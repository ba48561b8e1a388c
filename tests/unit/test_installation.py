"""A data directory's version, lock, owner and address."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.errors import SetupError
from fleet.installation import DATA_VERSION, Installation


def test_a_claimed_directory_is_refused_to_a_second_platform(tmp_path: Path) -> None:
    first = Installation(tmp_path)
    first.claim()
    first.announce({"url": "http://localhost:1", "pid": os.getpid()})
    with pytest.raises(SetupError, match="already runs"):
        Installation(tmp_path).claim()
    address = Installation(tmp_path).address()
    assert address is not None
    assert address["url"] == "http://localhost:1"


def test_a_newer_directory_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{DATA_VERSION + 1}\n")
    with pytest.raises(SetupError, match="newer"):
        Installation(tmp_path).claim()
    assert (tmp_path / "version").read_text() == f"{DATA_VERSION + 1}\n"


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(SetupError, match="belongs to uid 12345"):
        Installation(tmp_path).claim()


def test_a_full_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.installation.MIN_FREE_BYTES", 2**62)
    with pytest.raises(SetupError, match="free"):
        Installation(tmp_path).claim()
    assert not (tmp_path / "version").exists()


def test_a_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert installation.token() is None
    installation.keep_token("af_secret")
    assert installation.token() == "af_secret"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_a_dead_platforms_address_is_ignored(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.announce({"url": "http://localhost:1", "pid": os.getpid()})
    assert installation.address() is None
