"""Finding a checkpoint: a hub id, a folder in the same format, an original one, or what ships with Touchline."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from app.config import BUILTIN_MODEL, WEIGHT_FILES
from app.detector.base import Cache
from app.detector.recipes import is_recipe
from app.errors import CheckpointError, UnknownClassError

BUILTIN_FOLDER = Path(__file__).resolve().parents[1] / "demo" / "checkpoint"
NEEDED = ("config.json", "preprocessor_config.json")
PATTERNS = ["*.json", "*.safetensors"]
TESTED_KIND = "d_fine"
ORIGINAL, RECIPE = "model.pt", "config.yaml"  #: what custom_d_fine leaves in the folder of a training run
PASSING = ("transformers_version", "_name_or_path", "torch_dtype", "dtype")  #: say nothing of what is computed
CONVERSION = "1"  #: to be counted up when the same file comes to be converted to something else


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detector on this machine's disk."""

    model: str  #: as the setting names it
    revision: str | None  #: of a hub id: the commit that was taken
    folder: Path
    weights: tuple[Path, ...]
    kind: str = TESTED_KIND  #: ``model_type`` of its configuration

    @property
    def tested(self) -> bool:
        """Whether Touchline is tested on models of this kind."""
        return self.kind == TESTED_KIND

    def weights_sha256(self) -> str:
        """SHA-256 over the weight files, in the order of their names, and over the configuration.

        It is part of it because it says how the weights are used, and under which names detections are stored: kept
        ones must not be taken for those of a checkpoint whose queries or classes have been changed since.
        """
        digest = hashlib.sha256()
        for path in self.weights:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        config = {key: value for key, value in _read_config(self.folder).items() if key not in PASSING}
        digest.update(json.dumps(config, sort_keys=True).encode())
        return digest.hexdigest()


def find_checkpoint(model: str, revision: str | None, *, cache: Cache | None = None) -> Checkpoint:
    """The checkpoint that ``detector.model`` names, downloaded or converted (into ``cache``) if it has to be.

    Raises:
        CheckpointError: it cannot be had or detects no objects; says what to do.
    """
    if model.startswith("builtin:"):
        if model != BUILTIN_MODEL:
            msg = f"detector.model: {model!r} does not ship with Touchline; {BUILTIN_MODEL} does"
            raise CheckpointError(msg)
        return _in_folder(model, None, BUILTIN_FOLDER)
    path = Path(model)
    if original := _find_original(path):
        return _in_folder(model, None, _convert(original, cache))
    if path.is_dir():
        return _in_folder(model, None, path.resolve())
    folder = _download(model, revision)
    return _in_folder(model, folder.name, folder)  # a snapshot's folder is named by its commit


def _find_original(path: Path) -> Path | None:
    """The file of weights at ``path``, if that is an original checkpoint or the folder of one."""
    if path.is_dir() and not (path / NEEDED[0]).exists():
        path /= ORIGINAL
    return path.resolve() if path.is_file() and path.suffix in WEIGHT_FILES else None


def _convert(file: Path, cache: Cache | None) -> Path:
    if cache is None:
        msg = f"detector.model: {file} has to be converted first; scan with it once, then name the folder it is kept in"
        raise CheckpointError(msg)
    recipe = _find_recipe(file)

    def make(folder: Path) -> None:
        # Kept out of every other start: with it comes torch, which the engines that run without it need not wait for.
        from app.detector.original import convert_checkpoint

        convert_checkpoint(file, recipe, folder)

    return cache.find_or_make(f"converted/{_conversion_key(file, recipe)}", make)


def _find_recipe(file: Path) -> Path | None:
    """``config.yaml`` beside a ``.pt`` file, if it is custom_d_fine's; D-FINE's own ``.pth`` have none."""
    recipe = file.with_name(RECIPE)
    return recipe if file.suffix == ".pt" and recipe.is_file() and is_recipe(recipe) else None


def _conversion_key(file: Path, recipe: Path | None) -> str:
    digest = hashlib.sha256(CONVERSION.encode())
    try:
        for source in (file, recipe) if recipe else (file,):
            with source.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        msg = f"detector.model: {file} cannot be read: {error.strerror}"
        raise CheckpointError(msg) from error
    return digest.hexdigest()


def _download(model: str, revision: str | None) -> Path:
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=PATTERNS, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        pass  # not in the cache; or no hub id at all, which the next try says better
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=PATTERNS))
    except HFValidationError as error:
        msg = f"detector.model: {model!r} is neither a folder nor a hub id: {error}"
        raise CheckpointError(msg) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        msg = (
            f"detector.model: {model!r} is not in the local cache and cannot be downloaded ({_first_line(error)}). "
            f"On a machine with internet run `hf download {model} --local-dir dfine`, copy the folder here and "
            "set detector.model to it; or set detector.model to builtin:football to try Touchline offline"
        )
        raise CheckpointError(msg) from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _in_folder(model: str, revision: str | None, folder: Path) -> Checkpoint:
    for name in NEEDED:
        if not (folder / name).is_file():
            msg = f"detector.model: {folder} holds no {name}; a checkpoint in the transformers format has one, "
            f"one of custom_d_fine holds {ORIGINAL}"
            raise CheckpointError(msg)
    weights = tuple(sorted(folder.glob("*.safetensors")))
    if not weights:
        msg = f"detector.model: {folder} holds no *.safetensors"
        raise CheckpointError(msg)
    return Checkpoint(model, revision, folder, weights, _kind_of(folder))


def _kind_of(folder: Path) -> str:
    path, kind = folder / NEEDED[0], _read_config(folder).get("model_type")
    if kind != TESTED_KIND and not (isinstance(kind, str) and kind in _known_kinds()):
        msg = f"detector.model: {path} is of type {kind!r}, which is no object detector that transformers knows"
        raise CheckpointError(msg)
    return str(kind)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / NEEDED[0]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        msg = f"detector.model: {path} cannot be read: {error}"
        raise CheckpointError(msg) from error
    if not isinstance(content, dict):
        msg = f"detector.model: {path} cannot be read: it is no JSON object"
        raise CheckpointError(msg)
    return content


def _known_kinds() -> Collection[str]:
    """What ``AutoModelForObjectDetection`` loads; asked only for what is no D-FINE, because it costs an import."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES

    kinds: Collection[str] = MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES.keys()
    return kinds


def check_target_classes(targets: Sequence[str], known: Sequence[str]) -> None:
    """Refuse target classes that the model does not know.

    Raises:
        UnknownClassError: names the nearest ones of the model's own list.
    """
    for target in targets:
        if target in known:
            continue
        near = get_close_matches(target, known, n=3, cutoff=0.4)
        # "football" and "sports ball" share only a word: look for that too.
        near += [name for name in known if name not in near and _shares_a_word(name, target)][:3]
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"it knows {', '.join(known[:10])} ..."
        msg = f"detector.target_classes: the model has no class {target!r}; {hint}"
        raise UnknownClassError(msg)


def _shares_a_word(name: str, target: str) -> bool:
    return any(word in target.lower() for word in name.lower().split() if len(word) > 2)
