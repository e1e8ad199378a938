"""Finding a D-FINE checkpoint: a hub id, a folder in the same format, or the one that ships with Touchline."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from app.config import BUILTIN_MODEL
from app.errors import CheckpointError, UnknownClassError

BUILTIN_FOLDER = Path(__file__).resolve().parents[1] / "demo" / "checkpoint"
NEEDED = ("config.json", "preprocessor_config.json")
PATTERNS = ["*.json", "*.safetensors"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A D-FINE on this machine's disk."""

    model: str  #: as the setting names it
    revision: str | None  #: of a hub id: the commit that was taken
    folder: Path
    weights: tuple[Path, ...]

    def weights_sha256(self) -> str:
        """SHA-256 over the weight files, in the order of their names."""
        digest = hashlib.sha256()
        for path in self.weights:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def find_checkpoint(model: str, revision: str | None) -> Checkpoint:
    """The checkpoint that ``detector.model`` names, downloaded if it has to be.

    Raises:
        CheckpointError: it cannot be had or is not a D-FINE; says what to do.
    """
    if model.startswith("builtin:"):
        if model != BUILTIN_MODEL:
            msg = f"detector.model: {model!r} does not ship with Touchline; {BUILTIN_MODEL} does"
            raise CheckpointError(msg)
        return _in_folder(model, None, BUILTIN_FOLDER)
    folder = Path(model)
    if folder.is_dir():
        return _in_folder(model, None, folder.resolve())
    folder = _download(model, revision)
    return _in_folder(model, folder.name, folder)  # a snapshot's folder is named by its commit


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
            msg = f"detector.model: {folder} holds no {name}; a checkpoint in the transformers format has one"
            raise CheckpointError(msg)
    weights = tuple(sorted(folder.glob("*.safetensors")))
    if not weights:
        msg = f"detector.model: {folder} holds no *.safetensors"
        raise CheckpointError(msg)
    _refuse_other_models(folder)
    return Checkpoint(model, revision, folder, weights)


def _refuse_other_models(folder: Path) -> None:
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, OSError, AttributeError) as error:
        msg = f"detector.model: {path} cannot be read: {error}"
        raise CheckpointError(msg) from error
    if kind != "d_fine":
        msg = f"detector.model: {path} is of type {kind!r}; Touchline runs D-FINE (model_type d_fine)"
        raise CheckpointError(msg)


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
