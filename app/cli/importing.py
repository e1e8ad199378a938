"""Importing modules without the garbage collector looking through them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """While the block imports modules nothing is collected, and what it made is never looked through.

    Modules make hundreds of thousands of objects that stay. The collector looks through them again and again while
    they are made, which is a quarter of the time that a command takes to start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
