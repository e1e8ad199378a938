"""Work in a process of its own: it can be ended at any moment, and its memory goes with it."""

import os
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from app.storage.database import Database

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
LOOK_UP_S = 0.5  #: how often it is asked meanwhile whether to stop


class WorkLostError(Exception):
    """The process that worked ended without an answer, as when memory ran out."""


def work_apart(url: str, work: Callable[..., T], arguments: tuple[Any, ...], stopping: Callable[[], bool]) -> T | None:
    """``work(database, *arguments)`` in a process of its own; None if ``stopping`` ended it.

    Raises:
        WorkLostError: the process ended without an answer.
    """
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work_and_send, args=(url, work, arguments, sending), daemon=True)
    process.start()
    sending.close()
    try:
        while not receiving.poll(LOOK_UP_S):
            if stopping():
                return None
        found: T = receiving.recv()
    except EOFError as error:
        msg = f"the process for {work.__name__} ended without an answer"
        raise WorkLostError(msg) from error
    else:
        return found
    finally:
        process.kill()
        process.join()
        receiving.close()


def _work_and_send(
    url: str, work: Callable[..., T], arguments: tuple[Any, ...], sending: "Connection[T, None]"
) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    database = Database(url)
    sending.send(work(database, *arguments))
    database.dispose()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # every transaction is whole
