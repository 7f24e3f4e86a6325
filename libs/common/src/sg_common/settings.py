"""Configuration that every service has, from environment variables with the prefix `SG_`.

AWS is configured by AWS's own variables (`AWS_REGION`, `AWS_ENDPOINT_URL`, credentials), read by its SDK.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sg_decoder.limits import DecodeLimits

from sg_common.cpu import read_cpu_facts
from sg_common.errors import SettingsError
from sg_common.provenance import CredentialChecks

if TYPE_CHECKING:
    from sg_common.runtime import Runtime

GIB = 1024**3
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s*]+")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:(?P<port>[0-9]{1,5}))?(/[^?#\s*]*)?", re.IGNORECASE)


def default_models_root() -> Path:
    """`models/` of the checkout that this file belongs to; for an installed copy, of the working directory."""
    checkout = Path(__file__).resolve().parents[4] / "models"
    return checkout if checkout.is_dir() else Path("models")


class ServiceSettings(BaseSettings):
    """Settings of one service; `docs/configuration.md` lists them all."""

    model_config = SettingsConfigDict(env_prefix="SG_", frozen=True, populate_by_name=True)

    # Where the service listens
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="comma-separated keys; with any, /analyze and jobs need one as X-API-Key or bearer token",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="comma-separated origins whose pages may call (https://app.example), or *; empty: none"
    )
    root_path: str = Field(
        default="", pattern=r"^(/[^/?#\s]+)*$", description="where a proxy mounts the service, such as /audio"
    )
    keep_alive_seconds: int = Field(
        default=75, ge=1, description="how long an idle connection stays open; longer than load balancers keep theirs"
    )
    peer_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        description="address of the other service, such as http://localhost:8001: a caller may ask for both at once",
    )
    page: bool = Field(default=True, description="show browsers a page at / where people judge files")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    log_format: Literal["json", "text"] = Field(default="json", description="json for machines, text for a terminal")

    # The model and the CPU
    models_root: Path = Field(default_factory=default_models_root, description="folder of the shipped bundles")
    model_dir: Path | None = Field(default=None, description="another bundle instead of the shipped one")
    model_variant: str = Field(default="auto", description="the bundle's variant; auto chooses by instruction sets")
    threads: int | None = Field(default=None, ge=1, description="threads of a model session; default: the CPU quota")
    memory_arena: bool = Field(default=False, description="keep ONNX Runtime's memory arena (faster, never shrinks)")

    # How much work is accepted
    max_upload_bytes: int = Field(default=2 * GIB, ge=1, description="largest file, bytes")
    max_duration_seconds: float = Field(default=4 * 3600, gt=0, description="longest media, seconds")
    max_pixels: int = Field(default=7680 * 4320, ge=1, description="most pixels of a frame")
    request_timeout_seconds: float = Field(default=300, gt=0, description="deadline of a request once its file is here")
    upload_stall_seconds: float = Field(default=20, gt=0, description="longest silence within an upload, seconds")
    upload_min_bytes_per_second: int = Field(default=8192, ge=0, description="slowest upload on average")
    max_concurrency: int | None = Field(default=None, ge=1, description="analyses at a time; default: the CPU quota")
    max_waiting: int = Field(default=8, ge=0, description="requests that may wait for a turn; more are answered 429")
    drain_seconds: float = Field(
        default=5, ge=0, description="how long /ready says 503 before the server stops listening"
    )
    grace_seconds: float = Field(default=90, gt=0, description="how long work in flight may take after SIGTERM")

    # Jobs
    jobs: bool = Field(
        default=True,
        description="'Prefer: respond-async' makes a job; off where callers may reach another instance than theirs",
    )
    job_ttl_seconds: float = Field(default=3600, gt=0, description="how long a job is kept once it has ended")

    # Media
    work_dir: Path | None = Field(
        default=None, description="folder for work files; default: in the system's temp folder"
    )
    decoder_memory_bytes: int = Field(
        default=2 * GIB, ge=256 * 1024**2, description="address space of a decoder process"
    )
    decoder_cpu_seconds: int = Field(default=600, ge=1, description="processor time of a decoder process")
    decoder_stall_seconds: float = Field(default=60, gt=0, description="longest wait for a decoder's next answer")
    decoder_parent_files: int = Field(
        default=1000,
        ge=0,
        description="files after which the parent that forks decoder processes is replaced; 0 starts each afresh",
    )

    # Provenance
    c2pa_anchors: Path | None = Field(
        default=None, description="PEM file of the certificates at which trusted content credentials end; default: none"
    )
    c2pa_max_bytes: int = Field(
        default=CredentialChecks.max_bytes,
        ge=0,
        description="largest file whose content credentials are checked, which takes as much memory, up to 512 MiB",
    )

    # Storage
    s3_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="comma-separated bucket or bucket/prefix entries that may be read; empty: none",
    )

    url_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="comma-separated hosts that may be read over https (media.example, *.media.example); each may have "
        "a :port or /path/; empty: none",
    )

    # Queue
    queue_url: str | None = Field(default=None, description="URL of the SQS queue that the worker serves")
    results_prefix: str = Field(
        default="results/",
        pattern=r"^/*[^/]",
        description="where results lie in each object's bucket; objects under it are never analysed",
    )
    queue_visibility_seconds: int = Field(
        default=60, ge=4, le=43_200, description="how long a killed worker's message stays hidden"
    )
    queue_wait_seconds: int = Field(default=10, ge=0, le=20, description="how long one poll of the queue waits")
    queue_job_seconds: float = Field(
        default=3600, gt=0, le=36_000, description="deadline of a queued analysis, download included"
    )
    queue_retry_seconds: float = Field(
        default=15, ge=0, description="wait before a failed message's second try; doubled for each further one"
    )
    queue_retry_max_seconds: float = Field(default=900, ge=0, le=43_200, description="longest such wait")

    @field_validator("api_keys", "cors_origins", "s3_allow", "url_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part for raw in value.split(",") if (part := raw.strip())) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"'{origin}' is no origin; one looks like https://app.example, without a path")
        return origins

    @field_validator("c2pa_anchors")
    @classmethod
    def _certificates(cls, path: Path | None) -> Path | None:
        if path is not None:
            import ssl  # noqa: PLC0415 - only where it is set

            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{path} is no readable file of PEM certificates ({error})") from error
        return path

    @field_validator("url_allow")
    @classmethod
    def _hosts(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            found = _HOST.fullmatch(entry)
            if found is None or int(found["port"] or 1) not in range(1, 65536):
                raise ValueError(
                    f"'{entry}' is no host; one looks like media.example, *.media.example or media.example/path/"
                )
        return entries

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: a variable has a value that cannot work; the message names it.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = "SG_" + str(first["loc"][0]).removeprefix("SG_").upper()
            raise SettingsError(f"{name}: {first['msg']}") from error

    def bundle_dir(self, name: str) -> Path:
        """The folder of the shipped bundle `name`.

        Raises:
            SettingsError: there is none.
        """
        folder = self.models_root / name
        if not folder.is_dir():
            raise SettingsError(
                f"SG_MODELS_ROOT: {self.models_root.absolute()} has no bundle '{name}'; "
                "set it to the folder 'models' of the repository (packages come without it)"
            )
        return folder

    def runtime(self) -> Runtime:
        """How this service's sessions run."""
        # ONNX Runtime is loaded only where something is judged.
        from sg_common.runtime import Runtime  # noqa: PLC0415

        return Runtime(threads=self.threads, arena=self.memory_arena)

    def concurrency(self) -> int:
        """Analyses at a time."""
        return self.max_concurrency or read_cpu_facts().threads

    def decode_limits(self) -> DecodeLimits:
        return DecodeLimits(
            duration_seconds=self.max_duration_seconds,
            pixels=self.max_pixels,
            memory_bytes=self.decoder_memory_bytes,
            cpu_seconds=self.decoder_cpu_seconds,
            stall_seconds=self.decoder_stall_seconds,
            threads=self.threads or read_cpu_facts().threads,
        )

    def credential_checks(self) -> CredentialChecks:
        return CredentialChecks(self.c2pa_anchors, self.c2pa_max_bytes)

    def work_folder(self, kind: str) -> Path:
        """The folder for work files of this service."""
        return self.work_dir or Path(tempfile.gettempdir()) / f"silver-guardian-{kind}"


def model_dir_field(kind: str) -> Path | None:
    """A `model_dir` field that also reads `SG_<KIND>_MODEL_DIR`, for processes that serve several analyzers."""
    names = AliasChoices("model_dir", f"SG_{kind.upper()}_MODEL_DIR", "SG_MODEL_DIR")
    field: Path | None = Field(
        default=None, validation_alias=names, description=f"another bundle instead of models/{kind}"
    )
    return field
