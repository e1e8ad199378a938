"""What ``config.yaml`` beside a checkpoint of custom_d_fine or D-FINE-seg says of it: size, classes, input."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.errors import CheckpointError

BILINEAR, BOX, HAMMING = 2, 4, 5  #: as Pillow numbers its filters


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a checkpoint was trained, as far as looking at images with it depends on that."""

    file: Path | None = None
    size: str | None = None  #: n, s, m, l or x
    names: tuple[str, ...] = ()
    height: int = 640
    width: int = 640
    keep_ratio: bool = False  #: pads what is left of the input with grey, the picture in the middle
    resample: int = BILINEAR


PLAIN = Recipe()  #: D-FINE's own: 640 x 640, stretched


def is_recipe(file: Path) -> bool:
    """Whether a YAML file is one of custom_d_fine's, which many other ``config.yaml`` are not.

    Raises:
        CheckpointError: it cannot be read.
    """
    return "label_to_name" in _section(_read(file), "train")


def read_recipe(file: Path) -> Recipe:
    """What custom_d_fine's own inference takes from its configuration.

    Raises:
        CheckpointError: it cannot be read, or describes what cannot be converted.
    """
    content = _read(file)
    train = _section(content, "train")
    try:
        height, width = (int(side) for side in train.get("img_size", (640, 640)))
        names = _names(train["label_to_name"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"detector.model: {file} is no configuration of custom_d_fine: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error
    if height != width or height <= 0 or height % 32:
        # custom_d_fine counts positions down the columns before some release and along the rows after it. On a square
        # both come to the same; elsewhere the converted model would see other positions than it learnt.
        msg = f"detector.model: {file}: img_size {height} x {width}; only squares with a side of whole 32 convert"
        raise CheckpointError(msg)
    return Recipe(
        file=file,
        size=str(content["model_name"]) if "model_name" in content else None,
        names=names,
        height=height,
        width=width,
        keep_ratio=bool(train.get("keep_ratio", False)),
        resample=_resample(train),
    )


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(str, value))
    named = {int(index): str(name) for index, name in value.items()}
    if sorted(named) != list(range(len(named))):
        msg = f"label_to_name numbers the classes {sorted(named)}, not from 0 on"
        raise ValueError(msg)
    return tuple(named[index] for index in range(len(named)))


def _resample(train: Mapping[str, Any]) -> int:
    """Pillow's nearest to the filter of OpenCV that the checkpoint was trained with.

    INTER_AREA is a box filter. Later releases, which know ``in_channels``, have INTER_LINEAR, which averages nothing.
    Of Pillow's filters Hamming comes nearest to it: 0.2 grey levels off on frames of 720 and 1080 lines, bilinear 0.3.
    """
    return HAMMING if "in_channels" in train else BOX


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        msg = f"detector.model: {file} cannot be read: {' '.join(str(error).split())}"
        raise CheckpointError(msg) from error
    return content if isinstance(content, dict) else {}


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    return section if isinstance(section, dict) else {}
