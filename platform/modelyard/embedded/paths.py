"""Where things lie: the home folder, the folder of sockets, the cache, and who may reach them."""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from modelyard.embedded.errors import EmbeddedError

#: `sockaddr_un.sun_path` holds 108 bytes, the last of them NUL.
SOCKET_PATH_LIMIT = 107
#: The longest name that is put below the run folder.
LONGEST_SOCKET_NAME = "/postgres/.s.PGSQL.5432"
NOBODY_ID = 65534
#: As root: where a copy of the database's programs lies that every account may run, one per version.
PROGRAMS_ROOT = Path("/var/cache/modelyard")
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Account:
    """The numeric identity under which a server runs."""

    uid: int
    gid: int


def home() -> Path:
    """The one folder that holds all state: `MODELYARD_HOME`, or `var` in the repository. Not created here."""
    configured = os.environ.get("MODELYARD_HOME", "").strip()
    return Path(configured).expanduser().resolve() if configured else REPOSITORY / "var"


def database_account() -> Account | None:
    """The account PostgreSQL runs under: None for our own, `nobody` when we are root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(NOBODY_ID, NOBODY_ID)
    return Account(entry.pw_uid, entry.pw_gid)


def home_hash(home: Path) -> str:
    """A short name that stands for one home folder outside of it."""
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]


def make_home(home: Path) -> Path:
    """Create the home folder when it is missing: private, but passable for the database's account when we are root."""
    if not home.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return home


def blocking_folder(path: Path, account: Account) -> Path | None:
    """The topmost existing folder on the way to `path` that `account` may not pass, or None when it can go through."""
    chain = [folder for folder in [*reversed(path.parents), path] if folder.is_dir()]
    for folder in chain:
        status = folder.stat()
        if status.st_uid == account.uid:
            allowed = status.st_mode & stat.S_IXUSR
        elif status.st_gid == account.gid:
            allowed = status.st_mode & stat.S_IXGRP
        else:
            allowed = status.st_mode & stat.S_IXOTH
        if not allowed:
            return folder
    return None


def run_dir(home: Path) -> Path:
    """The folder of sockets, pid files and URLs of running servers, created when missing.

    `<home>/run`, unless a socket in it would have too long a name or the database's account cannot get there: then a
    folder in /tmp named by a hash of the home, which must be ours.
    """
    inside = home.resolve() / "run"
    account = database_account()
    too_long = len(os.fsencode(inside)) + len(LONGEST_SOCKET_NAME) > SOCKET_PATH_LIMIT
    if not too_long and (account is None or blocking_folder(home.resolve().parent, account) is None):
        make_home(home)
        if account is None or blocking_folder(home.resolve(), account) is None:
            return _private_folder(inside, account)
    name = f"modelyard-{os.geteuid()}-{home_hash(home)}"
    return _private_folder(Path("/tmp") / name, account)  # nosec B108  # made for us alone, or refused


def _private_folder(folder: Path, account: Account | None) -> Path:
    """Create `folder` for us alone (passable, not readable, for others when another account has a place in it)."""
    mode = 0o700 if account is None else 0o711
    try:
        folder.mkdir(mode=mode)
        folder.chmod(mode)
    except FileExistsError:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise EmbeddedError(
                f"{folder} is not a folder that belongs to this user alone.",
                "Remove it, or set MODELYARD_HOME to another folder.",
            ) from None
    return folder
