"""A client of the services: files, URLs and S3 objects in, typed reports and typed failures out."""

from sg_common.client.asynchronous import AsyncClient, analyze_all_async
from sg_common.client.reports import AnyReport
from sg_common.client.sync import Client, analyze_all

__all__ = ["AnyReport", "AsyncClient", "Client", "analyze_all", "analyze_all_async"]
