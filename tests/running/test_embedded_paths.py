"""Where the portal puts its sockets and secrets, and whom it lets near them."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from modelyard.embedded import EmbeddedError, paths
from modelyard.embedded.secrets import secret


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "database_account", lambda: None)
    return tmp_path / "home"


def test_home_is_var_in_the_repository_unless_given(monkeypatch, tmp_path):
    monkeypatch.delenv("MODELYARD_HOME", raising=False)
    assert paths.home() == paths.REPOSITORY / "var"
    assert (paths.REPOSITORY / "manage.py").is_file()
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "elsewhere"))
    assert paths.home() == tmp_path / "elsewhere"


def test_sockets_lie_in_the_home_when_their_names_fit(monkeypatch):
    monkeypatch.setattr(paths, "database_account", lambda: None)
    home = Path("/tmp") / f"modelyard-test-{os.getpid()}"
    try:
        folder = paths.run_dir(home)
        assert folder == home / "run"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        (home / "run").rmdir()
        home.rmdir()


def test_a_home_with_a_long_name_gets_a_private_folder_for_sockets(home):
    deep = home / ("x" * 100)
    folder = paths.run_dir(deep)
    try:
        assert folder.parent == Path("/tmp")
        assert len(str(folder) + paths.LONGEST_SOCKET_NAME) <= paths.SOCKET_PATH_LIMIT
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert paths.run_dir(deep) == folder
        assert paths.run_dir(home / ("y" * 100)) != folder
    finally:
        folder.rmdir()
        paths.run_dir(home / ("y" * 100)).rmdir()


def test_a_folder_for_sockets_that_others_may_write_to_is_refused(home):
    deep = home / ("z" * 100)
    folder = paths.run_dir(deep)
    try:
        folder.chmod(0o777)
        with pytest.raises(EmbeddedError, match="not a folder that belongs"):
            paths.run_dir(deep)
    finally:
        folder.rmdir()


def test_the_folder_that_keeps_an_account_out_is_named(tmp_path):
    stranger = paths.Account(uid=os.geteuid() + 4321, gid=os.getegid() + 4321)
    closed = tmp_path / "open" / "closed"
    (closed / "inner").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "open", closed, closed / "inner"):
        folder.chmod(0o755)
    outside = paths.blocking_folder(tmp_path, stranger)
    if outside is None:
        closed.chmod(0o700)
        assert paths.blocking_folder(closed / "inner", stranger) == closed
    else:
        assert outside in tmp_path.parents  # the temporary folder itself is private on this machine
    owner = paths.Account(uid=os.geteuid(), gid=os.getegid())
    closed.chmod(0o077)
    assert paths.blocking_folder(closed, owner) == closed


def test_a_secret_is_made_once_and_private(home):
    first = secret("SIGNING_KEY_OF_TEST", home)
    file = home / "secrets" / "signing_key_of_test"
    assert len(first) >= 43
    assert secret("SIGNING_KEY_OF_TEST", home) == first == file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_processes_that_make_a_secret_at_once_agree(home):
    paths.make_home(home)
    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(lambda _: secret("RACE_OF_TEST", home), range(32)))
    assert len(values) == 1


def test_the_environment_gives_a_secret_before_the_home_does(home, monkeypatch, tmp_path):
    (tmp_path / "given").write_text("from-a-file\n")
    monkeypatch.setenv("GIVEN_OF_TEST_FILE", str(tmp_path / "given"))
    assert secret("GIVEN_OF_TEST", home) == "from-a-file"
    monkeypatch.setenv("GIVEN_OF_TEST", "from-a-variable")
    assert secret("GIVEN_OF_TEST", home) == "from-a-variable"
    assert not home.exists()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_file_that_holds_nothing_usable_is_an_error(home, monkeypatch, tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("BROKEN_OF_TEST_FILE", str(file))
    with pytest.raises(EmbeddedError, match=str(file)):
        secret("BROKEN_OF_TEST", home)
