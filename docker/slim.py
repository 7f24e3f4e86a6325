"""Removes from an image's environment what no service runs: tests, type stubs, symbols of compiled modules, and AWS
services that are not called."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

KEPT_AWS_SERVICES = {"s3", "sqs", "stepfunctions", "sts", "sso", "sso-oidc"}
UNUSED = (
    "onnxruntime/datasets", "onnxruntime/quantization", "onnxruntime/tools", "onnxruntime/transformers",
    "google/protobuf", "google/_upb",  # for those tools alone
    # for c2pa's build script; its reader needs none of them
    "c2pa/build.py", "cffi", "charset_normalizer", "cryptography", "pycparser", "requests", "toml",
    "numpy/f2py", "numpy/distutils", "numpy/testing/tests", "boto3/examples",
)  # fmt: skip
# The Python binding carries its own copy of the runtime; the shared library is for plug-ins only.
UNUSED_PATTERNS = (
    "onnxruntime/capi/libonnxruntime.so*",
    "c2pa/libs/*.rlib",  # the library once more, for linking
    "c2pa/libs/*.d",
    "_cffi_backend*.so",
    "*__mypyc*.so",  # of charset_normalizer
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "numpy/**/*.a",
    "numpy/_core/include",
)


def main(venv: Path) -> None:
    (packages,) = venv.glob("lib/python3*/site-packages")
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in KEPT_AWS_SERVICES:
            shutil.rmtree(service)
    targets = [packages / name for name in UNUSED]
    targets += [path for pattern in UNUSED_PATTERNS for path in packages.glob(pattern)]
    for path in targets:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    strip = shutil.which("strip")
    if strip is None:
        sys.exit("slim.py: strip is missing (Debian: binutils)")
    # Not the libraries that wheels bring along: they were patched in a way that does not survive it.
    modules = [path for path in packages.glob("**/*.so") if not path.parent.name.endswith(".libs")]
    subprocess.run([strip, "--strip-unneeded", *modules], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
