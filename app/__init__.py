"""Touchline: a detector raises the flag, a person makes the call, and only then a file moves."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("touchline")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0.0.0"
