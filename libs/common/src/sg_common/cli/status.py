"""How every command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import IntEnum

from sg_common.cli.output import OutputClosed
from sg_common.errors import ConfigurationError, ServiceError


class ExitStatus(IntEnum):
    """`BUG` is Python's own answer to an exception that nobody expected."""

    DONE = 0
    BUG = 1
    REFUSED = 2
    CONFIGURATION = 78
    INTERRUPTED = 130


def ended(program: str, verb: Callable[[], int]) -> int:
    """Run a verb; its exit status, or that of the failure that ended it, which is told in a sentence."""
    try:
        return verb()
    except (ConfigurationError, ServiceError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return ExitStatus.CONFIGURATION if isinstance(error, ConfigurationError) else ExitStatus.REFUSED
    except OutputClosed:
        return ExitStatus.DONE
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
