"""Settings: ``config.yaml``, then environment variables ``TOUCHLINE_*`` (nested by ``__``, lists as JSON).

Every key is described here once; the settings page and the documentation show these descriptions.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from app.errors import ConfigError

ENV_PREFIX = "TOUCHLINE_"
NOT_SETTINGS = frozenset(
    {"PASSWORD", "ADMIN_PASSWORD_FILE", "TEST_BROWSER", "CRASH_POINT", "LONG"}
)  # read elsewhere, on purpose
BUILTIN_MODEL = "builtin:football"
WEIGHT_FILES = (".pth", ".pt")  #: of original checkpoints, which are converted when they are first used


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _expanded(value: object) -> Path:
    path = Path(str(value))
    try:
        return path.expanduser()
    except RuntimeError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error


def _existing_folder(value: object) -> Path:
    folder = _expanded(value)
    if not folder.is_dir():
        msg = f"the folder {folder} is missing: create it, or name another"
        raise ValueError(msg)
    return folder.resolve()


ExistingFolder = Annotated[Path, BeforeValidator(_existing_folder)]


def _default_roots() -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path.resolve() for path in (Path.home(), Path.cwd()) if path.is_dir()))


class ServerSettings(_Section):
    """The web server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"),
        description="Host names that requests may carry, beside the address listened on; any other gets 421.",
    )


class DatasetSettings(_Section):
    """Where datasets may be, and what an image may be."""

    allowed_roots: tuple[ExistingFolder, ...] = Field(
        default_factory=_default_roots,
        description="Folders below which the browser may register datasets and place cleaned sets. "
        "Default: your home and the working folder. The command line is not bound by it.",
    )
    inspect_on_add_s: float = Field(
        10.0,
        ge=0,
        description="Seconds that registering a dataset spends on decoding and hashing; a scan does the rest.",
    )
    max_pixels: int = Field(
        200_000_000, ge=1, description="Images with more pixels are recorded as unreadable, never decoded."
    )


def _hub_id_or_existing_path(value: str) -> str:
    if value.endswith(WEIGHT_FILES):
        return str(_existing_weights(value))
    looks_like_path = value.startswith(("/", "./", "../", "~"))
    return str(_existing_folder(value)) if looks_like_path else value


def _existing_weights(value: str) -> Path:
    file = _expanded(value)
    if not file.is_file():
        msg = f"the file {file} is missing: name another"
        raise ValueError(msg)
    return file.resolve()


class DetectorSettings(_Section):
    """The detector."""

    model: Annotated[str, AfterValidator(_hub_id_or_existing_path)] = Field(
        BUILTIN_MODEL,
        min_length=1,
        description="A hub id such as ustc-community/dfine-small-obj2coco, a folder in the same format, an original "
        "checkpoint (.pth or .pt; docs/models.md), or builtin:football (drawn images only).",
    )
    revision: str | None = Field(None, description="Branch, tag or commit of a hub id.")
    target_classes: tuple[str, ...] = Field(
        ("football",),
        min_length=1,
        description="Class names of the model that mean that the object is there; "
        'for models trained on COCO: ["sports ball"].',
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="Score from which a new dataset's images count as holding the object."
    )
    floor: float = Field(
        0.05,
        ge=0.001,
        le=1,
        description="Boxes below this confidence are not stored; thresholds move above it.",
    )
    batch_size: int = Field(
        0,
        ge=0,
        le=4096,
        description="Images that may be in the model or scored and not yet stored, which is what a crash costs at "
        "most; the engine's threads share it. 0: 8 a stream on a CPU, 192 on a GPU. Halved when memory runs out.",
    )
    backend: Literal["auto", "torch", "openvino", "onnxruntime"] = Field(
        "auto",
        description="The engine that is tried first: auto takes torch on CUDA and openvino elsewhere. One that does "
        "not see what the float32 reference sees is refused, and the next is taken.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto tries the fastest that the device computes in by itself, then float32."
    )
    device: Literal["auto", "cpu", "cuda", "gpu"] = Field(
        "auto", description="auto takes CUDA when it is present; gpu is an Intel GPU, through openvino."
    )
    input_size: int = Field(
        0, ge=0, le=4096, description="Side of the model's input in pixels, a multiple of 32; 0: the checkpoint's own."
    )
    slicing: Literal["off", "always", "selective"] = Field(
        "off",
        description="Looks at overlapping slices of an image too, for small objects: at every image, or only where "
        "the whole image's score is undecided or the image is large.",
    )
    slice_px: int = Field(
        384, ge=64, le=4096, description="Side of a slice in pixels of the image; at most 8 x 8 are cut."
    )
    undecided: tuple[float, float] = Field(
        (0.15, 0.6), description="Scores of the whole image between which selective slicing looks closer."
    )
    mirror: bool = Field(default=False, description="Looks at the mirror image too and averages.")
    threads: int = Field(0, ge=0, le=512, description="CPU threads of the detector; 0 leaves it to the engine.")

    @field_validator("input_size")
    @classmethod
    def _of_whole_strides(cls, value: int) -> int:
        if value % 32 or 0 < value < 64:
            msg = "must be 0 or a multiple of 32 from 64 on"
            raise ValueError(msg)
        return value


class WorkerSettings(_Section):
    """The background worker."""

    heartbeat_s: float = Field(3.0, gt=0, le=60, description="Seconds between two signs of life.")
    stalled_after_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Silence after which a worker counts as gone and its work is taken over.",
    )
    poll_s: float = Field(0.5, gt=0, le=60, description="Seconds between two looks at the queue.")


class ReviewSettings(_Section):
    """The review desk."""

    lease_s: float = Field(
        120.0, gt=0, le=3600, description="Seconds for which an image handed to one tab is kept from others."
    )
    screen_px: int = Field(
        2048, ge=320, le=8192, description="Longest side of the picture shown on the review page, in pixels."
    )
    second_opinion: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Learned suspicion from which an image is flagged although detector and folder agree. 1 flags "
        "hardly any; none is flagged while what was learned does not prove good on verdicts that it has not seen.",
    )
    tile_px: int = Field(320, ge=64, le=1024, description="Longest side of a thumbnail, in pixels.")
    audit_share: float = Field(
        0.15,
        ge=0,
        le=0.5,
        description="Share of what is shown for review that is drawn at random and shown blind, for the certificate; "
        "as many flagged images are shown in the same form. 0: none.",
    )
    repeat_share: float = Field(
        0.03,
        ge=0,
        le=0.2,
        description="Share of what is shown for review that has a verdict already and comes once more, in the same "
        "blind form, to measure how often people err. None where audit_share is 0.",
    )
    audit_goal: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Share of mislabels that may be left: as soon as the certificate says so, no more is drawn.",
    )


class RenditionSettings(_Section):
    """The smaller pictures that the browser shows. They are a cache: deleting them costs only time."""

    during_scan: Literal["all", "tile", "off"] = Field(
        "all",
        description="What a scan makes from the picture that it decodes anyway: thumbnails and, of images larger than "
        "review.screen_px, the picture for the review page; thumbnails only; or nothing. The rest is made on demand.",
    )
    max_gb: float = Field(
        20.0, ge=0, description="Gigabytes of kept renditions from which on a scan makes no more of them."
    )


class LogSettings(_Section):
    """Logs, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is shown.")
    format: Literal["text", "json"] = Field("text", description="One line of text, or one JSON object, per event.")


class Settings(BaseSettings):
    """All settings. Built once per process by :func:`load_settings` and handed on; never a global."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(Path("var"), description="Folder of the database, renditions, the demo and exports.")
    cache_dir: Path | None = Field(
        None,
        description="Folder of what is dear to make and can be made again: exported networks, converted checkpoints, "
        "verdicts on engines. Default: cache in data_dir; several data folders may share one.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL. Default: SQLite in data_dir, which is what this release is tested on."
    )
    reviewer: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name under which verdicts are stored when the browser gave none and there are no accounts.",
    )
    server: ServerSettings = ServerSettings()
    datasets: DatasetSettings = Field(default_factory=DatasetSettings)
    detector: DetectorSettings = DetectorSettings()
    worker: WorkerSettings = WorkerSettings()
    review: ReviewSettings = ReviewSettings()
    renditions: RenditionSettings = RenditionSettings()
    log: LogSettings = LogSettings()

    @property
    def cache(self) -> Path:
        """Where what is dear to make is kept."""
        return self.cache_dir or self.data_dir / "cache"

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'touchline.db'}"


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read ``path`` (default ``config.yaml`` where it exists), then the environment.

    ``overrides`` win over both: they are the command line's own options.

    Raises:
        ConfigError: one line that names the key or file and says what to do.
    """
    chosen = path if path is not None else Path("config.yaml")
    if path is not None and not path.is_file():
        msg = f"--config {path}: no such file"
        raise ConfigError(msg)
    _refuse_broken_yaml(chosen)
    _refuse_unknown_environment()
    try:
        return _settings_class(chosen)(**overrides)
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from error
    except SettingsError as error:
        msg = f"{error}: write lists and nested values as JSON"
        raise ConfigError(msg) from error


def _settings_class(path: Path) -> type[Settings]:
    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=path)

    return FromFile


def _refuse_broken_yaml(path: Path) -> None:
    if not path.is_file():
        return
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        msg = f"{path}: not valid YAML: {problem}"
        raise ConfigError(msg) from error
    if content is not None and not isinstance(content, dict):
        msg = f"{path}: expected keys and values, found {type(content).__name__}"
        raise ConfigError(msg)


def _refuse_unknown_environment() -> None:
    known = {key.upper().replace(".", "__") for key, _ in setting_fields()}
    sections = {name.split("__", maxsplit=1)[0] for name in known}
    for variable in os.environ:
        if not variable.startswith(ENV_PREFIX):
            continue
        name = variable.removeprefix(ENV_PREFIX).upper()
        if name not in known | sections | NOT_SETTINGS:
            msg = f"{variable}: unknown setting; `touchline settings` and docs/settings.md list them"
            raise ConfigError(msg)


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; docs/settings.md lists the keys"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (got {first.get('input')!r})"


def setting_fields() -> Iterator[tuple[str, Any]]:
    """Every key with its pydantic field, nested keys joined by a dot: ``detector.model``."""
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            for inner, inner_info in section.model_fields.items():
                yield f"{name}.{inner}", inner_info
        else:
            yield name, info


def environment_name(key: str) -> str:
    """The variable that sets ``key``: ``TOUCHLINE_DETECTOR__MODEL`` for ``detector.model``."""
    return ENV_PREFIX + key.upper().replace(".", "__")
