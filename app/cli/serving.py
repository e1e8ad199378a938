"""Running the web server with a worker process beside it."""

import errno
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import structlog
import uvicorn

from app.config import Settings
from app.domain.accounts import is_beyond_loopback
from app.errors import ConfigError, TouchlineError
from app.services.clock import utc_now
from app.services.demo import prepare_demo
from app.services.setting_up import VARIABLE, prepare_accounts
from app.storage.database import Database
from app.storage.migrating import migrate
from app.web.app import create_app

log = structlog.get_logger()
RESTART_AFTER_S = 5.0
PATIENCE_S = 15.0


def run_server(settings: Settings, config: Path | None, *, with_worker: bool, demo: bool) -> None:
    """Serve until a signal ends it; the worker ends with it.

    Raises:
        ConfigError: the address cannot be listened on, or the password file of the first admin is no good.
    """
    listener = _listen(settings)
    database = Database(settings.url)
    migrate(database)
    _tell_setup_link(settings, database, listener.getsockname()[1])
    preparing = Event()
    app = create_app(settings, database, utc_now, preparing.is_set)
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5, server_header=False)
    )
    with _worker_beside(settings, config) if with_worker else _nothing():
        if demo:
            preparing.set()
            Thread(target=_prepare, args=(database, settings, preparing), daemon=True, name="demo").start()
        log.info("serving", url=f"http://{settings.server.host}:{listener.getsockname()[1]}")
        _keep_for_good()
        server.run(sockets=[listener])
    database.dispose()


def _keep_for_good() -> None:
    """Tell the garbage collector that what has been made by now, modules above all, is here to stay.

    Or it looks through half a million such objects every few requests, and one page in ten takes a quarter of a second
    longer than the others.
    """
    gc.collect()
    gc.freeze()


def _tell_setup_link(settings: Settings, database: Database, port: int) -> None:
    """Write the one-time link of the first admin, where one is wanted, to standard error, whatever the log's level."""
    token = prepare_accounts(database, utc_now, settings.server.host, os.environ.get(VARIABLE))
    if token is None:
        return
    url = f"http://{_name_to_visit(settings)}:{port}/setup?token={token}"
    sys.stderr.write(
        "touchline: others can reach this server and it has no admin yet. It serves nothing else until you open this "
        f"link once, within an hour:\n\n    {url}\n\n"
        "From another machine: name the host that people open in server.allowed_hosts first.\n"
    )
    sys.stderr.flush()


def _name_to_visit(settings: Settings) -> str:
    """A host that a browser can open and that the server answers for."""
    host = settings.server.host
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 (it is compared, not listened on)
        host = next((each for each in settings.server.allowed_hosts if is_beyond_loopback(each)), "127.0.0.1")
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        hint = "choose another with --port" if error.errno == errno.EADDRINUSE else "choose another with --host"
        msg = f"server.port: cannot listen on {host}:{port} ({error.strerror}): {hint}"
        raise ConfigError(msg) from error
    listener.listen(1024)
    return listener


def _prepare(database: Database, settings: Settings, preparing: Event) -> None:
    try:
        prepare_demo(database, settings, utc_now)
    except TouchlineError as error:
        log.warning("the demo could not be prepared", reason=str(error))
    finally:
        preparing.clear()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _worker_beside(settings: Settings, config: Path | None) -> Iterator[None]:
    """A worker process for the length of the block; one that dies is started again after a while."""
    ended = Event()
    keeper = Thread(target=_keep_worker, args=(settings, config, ended), daemon=True, name="keeper")
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(PATIENCE_S + 5)


def _keep_worker(settings: Settings, config: Path | None, ended: Event) -> None:
    command = [sys.executable, "-m", "app", "worker", "--with-parent"]
    if config is not None:
        command += ["--config", str(config)]
    environment = {**os.environ, "TOUCHLINE_DATA_DIR": str(settings.data_dir.resolve())}
    while True:
        # A session of its own: Ctrl-C reaches the server alone, which then stops the worker in good order.
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        while not ended.wait(0.2) and process.poll() is None:
            pass
        if ended.is_set():
            _stop(process)
            return
        log.warning("the worker ended by itself and is started again", status=process.returncode)
        if ended.wait(RESTART_AFTER_S):
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
