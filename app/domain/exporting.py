"""The columns of what Touchline writes for others, exactly as the contract has them."""

from enum import StrEnum

MANIFEST_COLUMNS = (
    "path",
    "sha256",
    "source_path",
    "given_label",
    "final_label",
    "score",
    "flag_reasons",
    "verdict",
    "reviewer",
    "reviewed_at",
    "detector",
    "sampling_probability",
)
LEFT_OUT_COLUMNS = ("source_path", "reason")
AUDIT_COLUMNS = (
    "audit",
    "stratum",
    "draw",
    "path",
    "sha256",
    "given_label",
    "sampling_probability",
    "verdict",
    "reviewer",
    "reviewed_at",
)
REVIEW_COLUMNS = ("path", "verdict", "reviewer", "reviewed_at")
TRUTH_COLUMNS = ("path", "given_label", "true_label", "boxes")


class ExportFormat(StrEnum):
    """The formats of ``touchline export``."""

    IMAGEFOLDER = "imagefolder"  #: one folder per final label, with manifest.csv and left-out.csv
    CSV = "csv"  #: the manifest alone
    COCO = "coco"
    YOLO = "yolo"
    PARQUET = "parquet"
    HUGGINGFACE = "huggingface"
    FIFTYONE = "fiftyone"


AVAILABLE_FORMATS = (ExportFormat.IMAGEFOLDER, ExportFormat.CSV)
