"""The programs: `silver-guardian` for all installed services, and one for each service."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from importlib.metadata import version

from sg_common.cli.analyze import add_analyze_arguments, run_analyze
from sg_common.cli.arguments import add_model_arguments, add_version
from sg_common.cli.output import say
from sg_common.cli.serve import add_serve_arguments, run_serve
from sg_common.cli.status import ExitStatus, ended
from sg_common.cli.submit import add_submit_arguments, run_submit
from sg_common.errors import ConfigurationError, SettingsError
from sg_common.observability import configure_logging
from sg_common.service import AnalyzerService, installed_services


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `silver-guardian`; the process's exit status."""
    services = installed_services()
    parser = argparse.ArgumentParser(
        prog="silver-guardian", description="How likely is a voice cloned, or a face swapped? Judged on this machine."
    )
    installed = ", ".join(f"{service.name} {service.version}" for service in services) or "no analyzer"
    add_version(parser, f"silver-guardian {version('silver-guardian-common')} with {installed}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{analyze,serve,submit,model}")
    add_analyze_arguments(verbs.add_parser("analyze", help="judge files, without a server or by one"))
    add_serve_arguments(verbs.add_parser("serve", help="run every installed service in the foreground"), services)
    add_submit_arguments(verbs.add_parser("submit", help="send objects of a bucket to the workers' queues"), services)
    add_model_arguments(verbs.add_parser("model", help="check or describe a model bundle"))
    options = parser.parse_args(arguments)

    def run() -> int:
        # A command tells a failure itself, in a sentence: its log would say it twice.
        configure_logging("cli", "ERROR", "text")
        if options.verb == "model":
            # It loads ONNX Runtime, which no other verb should wait for.
            from sg_common.cli.model import run_model  # noqa: PLC0415

            return run_model(options)
        if not services and not getattr(options, "server", None):
            raise SettingsError("no analyzer is installed")
        match options.verb:
            case "submit":
                return run_submit(services, options)
            case "serve":
                return run_serve(services, options)
            case _:
                return run_analyze(services, options)

    return ended("silver-guardian", run)


def service_main(service: AnalyzerService, arguments: Sequence[str] | None = None) -> int:
    """Run a service's verb; the process's exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {service.kind}_analyzer", description=service.title)
    add_version(parser, f"{service.name} {service.version}")
    verbs = parser.add_subparsers(dest="verb", metavar="{serve,worker,analyze,check}")
    verbs.add_parser("serve", help="answer HTTP (the default)")
    verbs.add_parser("worker", help="answer the messages of an SQS queue")
    add_analyze_arguments(verbs.add_parser("analyze", help="judge files, without a server or by one"))
    verbs.add_parser("check", help="load the model bundle, run its golden input, and say what runs")
    options = parser.parse_args(arguments)

    def run() -> int:
        # A command tells a failure itself, in a sentence: its log would say it twice.
        configure_logging("cli", "ERROR", "text")
        match options.verb:
            case "analyze":
                return run_analyze([service], options)
            case "check":
                return _check(service)
            case verb:
                return _stay(service, verb)

    return ended(service.name, run)


def _stay(service: AnalyzerService, verb: str | None) -> int:
    settings = service.settings()
    configure_logging(service.name, settings.log_level, settings.log_format)
    # The other doors, and what they need, are loaded only where they are opened: the command line starts faster.
    if verb == "worker":
        from sg_common.worker.app import work as stay  # noqa: PLC0415
    else:
        from sg_common.http.app import serve as stay  # noqa: PLC0415
    try:
        stay(service, settings)
    except ConfigurationError as error:
        if settings.log_format != "json":
            raise
        # Whoever reads a service's log by machine must find there why it ended.
        logging.getLogger(__name__).critical("%s", error)
        return ExitStatus.CONFIGURATION
    return ExitStatus.DONE


def _check(service: AnalyzerService) -> int:
    model = service.build(service.settings()).model
    say(f"{service.name} {service.version}: {model.name} {model.version} ({model.variant}) answers its golden input;")
    say(f"{model.variant} runs here: {model.reason}")
    return ExitStatus.DONE
