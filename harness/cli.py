"""The command line: reads the words, calls one command, and answers every error in one line.

A command is a module in `harness.commands` with NAME, HELP, EXAMPLES, `configure(parser)` and
`execute(options)`.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from harness import __version__
from harness.commands import compare, doctor, explain, list_, replay, run
from harness.errors import HarnessError, PaychaosError, UsageError, unknown_name
from results.errors import ResultsError

COMMANDS: tuple[ModuleType, ...] = (run, replay, explain, compare, list_, doctor)

INTERRUPTED = 130
OUR_BUG = "this is our bug, not yours. Please report it with the lines above."

EXIT_CODES = """exit codes:
  0  nothing was violated              4  nothing was exercised
  1  a violation (compare: a new one)  5  only violations that do not reproduce
  2  usage or configuration            130  interrupted, partial results are kept
  3  infrastructure, or inconclusive"""


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of printing a usage text and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. `{self.prog} --help` shows what it takes.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code; errors are printed to standard error, never raised."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not words:
            build_parser().print_help()
            return UsageError.exit_code
        options = parse(words)
        return int(options.execute(options))
    except HarnessError as error:
        return _our_bug(error)
    except (PaychaosError, ResultsError) as error:
        print(f"paychaos: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("paychaos: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `paychaos list faults | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _our_bug(error)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command that the words name; UsageError when they make no sense."""
    if words and not words[0].startswith("-"):
        names = [command.NAME for command in COMMANDS]
        if words[0] not in names:
            raise unknown_name("command", words[0], names, "paychaos --help")
    return build_parser().parse_args(words)


def build_parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="paychaos",
        description="Is this checkout safe to ship? Deterministic concurrency and chaos tests.",
        epilog=f"{EXIT_CODES}\n\nstart with:\n  paychaos list builds\n  paychaos run checkout:staging",
        formatter_class=form,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"paychaos {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        examples = "\n".join(f"  {line}" for line in command.EXAMPLES)
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP[0].upper() + command.HELP[1:] + ".",
            epilog=f"examples:\n{examples}",
            formatter_class=form,
            allow_abbrev=False,
        )
        command.configure(sub)
        sub.set_defaults(execute=command.execute)
    return parser


def _our_bug(error: Exception) -> int:
    traceback.print_exception(error)
    print(f"paychaos: {OUR_BUG}", file=sys.stderr)
    return HarnessError.exit_code
