"""The house rules that a machine can hold: sizes, layers, words in the documentation."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from statistics import median, quantiles

import pytest

from app.__main__ import COMMANDS
from app.config import environment_name, setting_fields
from app.files.moving import CRASH_POINTS

HERE = Path(__file__).parents[2]
MODULES = sorted((HERE / "app").rglob("*.py"))
VENDOR = HERE / "static" / "vendor"
#: modules over 400 lines -> how long each may be; all but the models are candidates for a split
LONGER = {
    "app/web/api/models.py": 600,  # the JSON of the contract, one class after the other
    "app/storage/tables.py": 680,  # the schema on one page
    "app/services/images.py": 570,
    "app/services/relocations.py": 450,
    "app/detector/training.py": 450,
    "app/storage/images.py": 430,
    "app/services/datasets.py": 420,
    "app/services/relocating.py": 420,
}
WORDS_TO_AVOID = ("utils", "helpers", "manager", "misc", "common_utils")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a module with its lines, docstring and decorators left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            docstring = (first.end_lineno or 0) - first.lineno + 1 if is_text else 0
            yield f"{path.relative_to(HERE)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_functions_are_short() -> None:
    """Median at most 10 lines, nine of ten under 30, none over 60."""
    lengths = dict(found for path in MODULES for found in functions(path))
    longest = max(lengths, key=lambda name: lengths[name])
    assert median(lengths.values()) <= 10
    assert quantiles(lengths.values(), n=10)[-1] < 30
    assert lengths[longest] <= 60, longest


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_module_fits_in_a_head(path: Path) -> None:
    """Under 400 lines, and its name says what it holds; the few that are longer are named here with a limit."""
    limit = LONGER.get(str(path.relative_to(HERE)), 400)
    assert len(path.read_text(encoding="utf-8").splitlines()) < limit
    assert path.stem not in WORDS_TO_AVOID


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_every_parameter_and_result_is_annotated(path: Path) -> None:
    """Also in what mypy does not reach; ``self`` and ``cls`` say enough."""
    missing = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            missing += [each.arg for each in arguments if each.annotation is None and each.arg not in ("self", "cls")]
            if node.returns is None and node.name != "__init__":
                missing.append(node.name)
    assert missing == []


def test_layers_import_only_downwards() -> None:
    """Every contract of import-linter holds."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=HERE, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_the_web_application_loads_no_engine() -> None:
    """A fresh interpreter that imports it has neither torch nor transformers, nor what makes it start late."""
    slow = ("torch", "transformers", "scipy.stats")
    code = f"import app.web.app, sys; print([name for name in {slow} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("key", [key for key, _ in setting_fields()])
def test_every_setting_is_documented(key: str) -> None:
    """Under its key and its variable, and it describes itself."""
    text = (HERE / "docs" / "settings.md").read_text(encoding="utf-8")
    assert f"`{key}`" in text
    assert environment_name(key) in text
    assert dict(setting_fields())[key].description


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """Under its own heading or in a line of its own."""
    text = (HERE / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"touchline {command}" in text


@pytest.mark.parametrize(
    "module", [path for path in MODULES if path.parent.name == "domain"], ids=lambda path: path.stem
)
def test_the_domain_touches_nothing_outside_itself(module: Path) -> None:
    """No file, process, clock or chance: what it needs is handed in."""
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        for alias in (node.names if isinstance(node, ast.Import) else [])
    } | {
        (node.module or "").split(".")[0]
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert imported.isdisjoint({"os", "io", "random", "time", "subprocess", "socket", "shutil", "uuid", "logging"})


def test_every_crash_point_is_passed_somewhere() -> None:
    """The list and the code name the same points, so that the crash tests miss none."""
    passed = {
        node.args[0].value
        for path in (HERE / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point"
        if isinstance(node.args[0], ast.Constant)
    }
    assert passed == set(CRASH_POINTS)


def vendored() -> dict[str, str]:
    """Path below ``static/vendor`` -> the SHA-256 on record."""
    listed = tomllib.loads((VENDOR / "vendored.toml").read_text(encoding="utf-8"))
    return {file["path"]: file["sha256"] for package in listed["package"] for file in package["file"]}


@pytest.mark.parametrize(("path", "digest"), vendored().items())
def test_third_party_files_are_unchanged(path: str, digest: str) -> None:
    """Each has the hash on record."""
    assert sha256((VENDOR / path).read_bytes()).hexdigest() == digest


def test_every_third_party_file_is_on_record() -> None:
    """Nothing else lies there, and every package names its version, licence and source."""
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} - {"vendored.toml"}
    assert found == set(vendored())
    packages = tomllib.loads((VENDOR / "vendored.toml").read_text(encoding="utf-8"))["package"]
    assert all(package[key] for package in packages for key in ("name", "version", "licence", "source"))


def test_templates_trust_nothing() -> None:
    """No template switches escaping off, and none holds a script, a style or a handler of its own."""
    for path in (HERE / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for forbidden in ("|safe", "| safe", "autoescape false", "<style", " style=", "onclick=", "onerror=", "hx-on"):
            assert forbidden not in text, (path.name, forbidden)
