"""What callers read of work under way: how far it is, and the document of a job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from sg_common.analysis import Job, Stage
from sg_common.problem import Problem
from sg_common.verdict import DECIMALS

R = TypeVar("R")


class StageProgress(BaseModel):
    """How far work is."""

    stage: Stage
    done: float | None = Field(ge=0, le=1, description="part of the stage that is done; null where it is not known")

    @classmethod
    def of(cls, job: Job) -> StageProgress:
        done = job.latest.fraction
        return cls(stage=job.stage, done=None if done is None else round(done, DECIMALS))


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobDocument(BaseModel, Generic[R]):
    """A job: work that goes on while nobody waits on the connection."""

    id: str
    status: JobStatus
    progress: StageProgress | None = Field(description="how far it is; null once it has ended")
    result: R | None = Field(description="the report of a job that is done")
    problem: Problem | None = Field(description="why a job failed")
    created: datetime
    expires: datetime | None = Field(description="when it is forgotten; null until it has ended")
