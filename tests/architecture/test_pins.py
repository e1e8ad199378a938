"""`constraints.txt` pins what an installation pulls, down to what its dependencies need."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[2]
#: what the CUDA build of torch brings, in the versions that torch itself names
CUDA = ("nvidia-", "cuda-", "triton")


def pinned() -> set[str]:
    """The names in the file; each line pins one version."""
    lines = [line.strip() for line in (HERE / "constraints.txt").read_text().splitlines()]
    pairs = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert all(sign and version for _, sign, version in pairs)
    return {canonicalize_name(name) for name, _, _ in pairs}


def own_requirements() -> list[Requirement]:
    """Those of the project with every extra."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for text in (*project["dependencies"], *(text for extra in extras for text in extra))]


def find_installed(name: str) -> Distribution | None:
    """A distribution that is installed."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def needs(requirement: Requirement) -> Iterator[Requirement]:
    """What an installed distribution needs here, with the extras that are asked for."""
    found = find_installed(requirement.name)
    for text in (found.requires or []) if found else []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
            yield need


def closure(requirements: list[Requirement]) -> set[str]:
    """The names of every installed distribution that these lead to."""
    waiting, seen = list(requirements), set[tuple[str, frozenset[str]]]()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen or key[0].startswith(CUDA) or find_installed(requirement.name) is None:
            continue
        seen.add(key)
        waiting += needs(requirement)
    return {name for name, _ in seen}


def test_everything_that_is_pulled_is_pinned() -> None:
    """Of what is installed nothing that the project leads to is left to the day of the installation."""
    pulled = closure(own_requirements())
    assert {"torch", "pytest", "threadpoolctl"} <= pulled
    assert sorted(pulled - pinned()) == []


def test_what_builds_the_package_is_pinned() -> None:
    """Constraints do not reach the environment of a build: its own line names one version."""
    build = tomllib.loads((HERE / "pyproject.toml").read_text())["build-system"]
    assert [str(Requirement(text).specifier)[:2] for text in build["requires"]] == ["=="]
