"""Fetch a model bundle from S3 into a folder: fetch_model.py s3://bucket/prefix/ FOLDER.

Runs in an init container with the service's image. Hashes are checked by the service when it loads the bundle.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3


def fetch(uri: str, folder: Path) -> int:
    """Download every object under the prefix, keeping its place below it; the number of files.

    Raises:
        SystemExit: there is no model.json under the prefix, or a key leads out of the folder.
    """
    address = urlsplit(uri)
    prefix = address.path.strip("/") + "/"
    s3 = boto3.client("s3")
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=address.netloc, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix)
            if not name or name.endswith("/"):
                continue
            target = folder / name
            if not target.resolve().is_relative_to(folder.resolve()):
                raise SystemExit(f"fetch-model: {item['Key']} leads out of the folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(address.netloc, item["Key"], str(target))
            count += 1
    if not (folder / "model.json").is_file():
        raise SystemExit(f"fetch-model: no model.json under {uri}")
    return count


if __name__ == "__main__":
    found = fetch(sys.argv[1], Path(sys.argv[2]))
    print(f"fetch-model: {found} files from {sys.argv[1]}")
