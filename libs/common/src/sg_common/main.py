"""`python -m audio_analyzer` and `python -m video_analyzer`: one service, one verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sg_common.cli.analyze import add_analyze_arguments, run_analyze
from sg_common.errors import BundleError, SettingsError
from sg_common.observability import configure_logging
from sg_common.service import AnalyzerService

EXIT_CONFIGURATION = 78


def main(service: AnalyzerService, arguments: Sequence[str] | None = None) -> int:
    """Run a service's verb; the process's exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {service.kind}_analyzer", description=service.title)
    verbs = parser.add_subparsers(dest="verb", metavar="{serve,worker,analyze,check}")
    verbs.add_parser("serve", help="answer HTTP (the default)")
    verbs.add_parser("worker", help="answer the messages of an SQS queue")
    add_analyze_arguments(verbs.add_parser("analyze", help="judge files without a server"))
    verbs.add_parser("check", help="load the model bundle, run its golden input, and say what runs")
    options = parser.parse_args(arguments)
    try:
        match options.verb:
            case "analyze":
                return run_analyze([service], options)
            case "check":
                return _check(service)
            case "worker":
                return _work(service)
            case _:
                return _serve(service)
    except SettingsError as error:
        print(f"{service.name}: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION


def _serve(service: AnalyzerService) -> int:
    # The HTTP stack is loaded only where it is used: the command line starts faster without it.
    from sg_common.http.server import serve  # noqa: PLC0415

    settings = service.settings()
    configure_logging(service.name, settings.log_level, settings.log_format)
    return serve(service, settings)


def _work(service: AnalyzerService) -> int:
    from sg_common.worker.door import work  # noqa: PLC0415 - as above

    settings = service.settings()
    configure_logging(service.name, settings.log_level, settings.log_format)
    return work(service, settings)


def _check(service: AnalyzerService) -> int:
    settings = service.settings()
    try:
        analyzer = service.build(settings)
    except BundleError as error:
        print(f"{service.name}: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    model = analyzer.model
    print(f"{service.name} {service.version}: {model.name} {model.version} ({model.variant}) answers its golden input;")
    print(f"{model.variant} runs here: {model.reason}")
    return 0
