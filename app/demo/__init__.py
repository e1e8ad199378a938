"""The synthetic dataset, and the small checkpoint that ships with Touchline."""

from pathlib import Path

CANARIES = Path(__file__).resolve().parent / "canaries"  #: drawn frames that engines are compared on
