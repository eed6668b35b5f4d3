"""Settings of evidence files."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from gateway.attachments.rules.limits import FileLimits
from gateway.node.sections.observed_settings import Section

_MIB = 1024 * 1024
_DAY_MS = 24 * 3600 * 1000
_MEDIA_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/tiff",
    "application/dicom",
    "application/pdf",
    "text/plain",
    "text/csv",
)


class AttachmentSettings(Section):
    """Evidence files: pictures, X-ray images and documents that alerts, findings and answers name."""

    enabled: bool = Field(default=False, description="Keep files; partners fetch those that were named to them.")
    store: str = Field(
        default="",
        pattern="^(s3://.+)?$",
        description="s3://BUCKET/PREFIX of an S3-compatible store; empty: the folder `files` in data_dir.",
    )
    s3_endpoint: str = Field(default="", description="https://… of that store, where it isn't Amazon's.")
    s3_region: str = Field(default="", description="Its region; empty: AWS_REGION of the environment, or us-east-1.")
    max_file_mib: int = Field(default=64, ge=1, le=4_096, description="Most MiB of one file.")
    max_total_mib: int = Field(default=10_240, ge=1, description="Most MiB of all files together.")
    media_types: tuple[str, ...] = Field(
        default=_MEDIA_TYPES, min_length=1, description="Media types that are taken; others are refused."
    )
    scan_command: tuple[str, ...] = Field(
        default=(),
        description="Virus scanner: program and arguments, {path} for the file. Exit 0: clean, 1: something found.",
    )
    scan_timeout_s: float = Field(default=120.0, gt=0, le=3600, description="Seconds after which it is ended.")
    retention_days: int = Field(
        default=5 * 365, ge=1, description="Days that a file is kept after the end of the last alert that names it."
    )

    @field_validator("media_types")
    @classmethod
    def _lower_case(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in types if one != one.lower() or one.count("/") != 1]
        if wrong:
            raise ValueError(f"{wrong[0]!r} isn't a media type, in small letters: e.g. image/jpeg")
        return types

    @model_validator(mode="after")
    def _absolute_scanner(self) -> Self:
        if self.scan_command and not Path(self.scan_command[0]).is_absolute():
            raise ValueError(f"scan_command: give the whole path of {self.scan_command[0]!r}")
        return self

    @property
    def limits(self) -> FileLimits:
        """What is taken."""
        return FileLimits(
            max_file_bytes=self.max_file_mib * _MIB,
            max_total_bytes=self.max_total_mib * _MIB,
            media_types=frozenset(self.media_types),
            retention_ms=self.retention_days * _DAY_MS,
        )
