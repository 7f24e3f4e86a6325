"""The command line door: `silver-guardian`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sg_common.cli.analyze import add_analyze_arguments, run_analyze
from sg_common.cli.model import add_model_arguments, run_model
from sg_common.cli.serve import run_serve
from sg_common.cli.submit import add_submit_arguments, run_submit
from sg_common.errors import SettingsError
from sg_common.service import installed_services


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `silver-guardian`; the process's exit status."""
    parser = argparse.ArgumentParser(
        prog="silver-guardian", description="How likely is a voice cloned, or a face swapped? Judged on this machine."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{analyze,serve,submit,model}")
    add_analyze_arguments(verbs.add_parser("analyze", help="judge files without a server"))
    verbs.add_parser("serve", help="run every installed service in the foreground, each on its own port")
    add_submit_arguments(verbs.add_parser("submit", help="send objects of a bucket to the workers' queues"))
    add_model_arguments(verbs.add_parser("model", help="check or describe a model bundle"))
    options = parser.parse_args(arguments)
    if options.verb in ("submit", "model"):
        return run_submit(options) if options.verb == "submit" else run_model(options)
    services = installed_services()
    if not services:
        print("silver-guardian: no analyzer is installed", file=sys.stderr)
        return 2
    try:
        if options.verb == "serve":
            return run_serve(services)
        return run_analyze(services, options)
    except SettingsError as error:
        print(f"silver-guardian: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
