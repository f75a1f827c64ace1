"""`python -m fake_provider`: serve the provider on a port, or show what it can do."""

import argparse
import asyncio
import errno
import json
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from fake_provider.behaviours import MISBEHAVIOURS, Behaviour
from fake_provider.errors import ApiError, FakeProviderError, PortError
from fake_provider.profile import Profile, shipped_profiles
from fake_provider.provider import Provider
from fake_provider.server import log
from fake_provider.server.service import Service

MakeProvider = Callable[[int], Provider]
EXAMPLES = """examples:
  python -m fake_provider serve --port 12111 --webhook http://localhost:8000/webhooks
  python -m fake_provider serve --port 12111 --script faults.json --profile two_xx_only
  python -m fake_provider faults
  stripe.api_base = "http://localhost:12111"     in the shop, with any key that begins with sk_

A script is a JSON list of behaviours:
  [{"name": "timeout_after", "operation": "POST /v1/payment_intents", "attempt": 1}]
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 ok, 2 usage, 3 the port cannot be had."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        if args.command == "faults":
            _show_faults(as_json=args.json)
        elif args.command == "profiles":
            _show_profiles()
        else:
            return _serve(args)
    except FakeProviderError as error:
        print(f"fake_provider: {error}", file=sys.stderr)
        return 3 if isinstance(error, PortError) else 2
    except BrokenPipeError:
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m fake_provider",
        epilog=EXAMPLES,
        formatter_class=raw,
        description="A payment provider that speaks a subset of the Stripe API and misbehaves when it is told to.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    serve = commands.add_parser(
        "serve", help="serve the provider on a port", epilog=EXAMPLES, formatter_class=raw
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument(
        "--port", type=int, default=12111, help="port to listen on; 0 takes a free one (%(default)s)"
    )
    serve.add_argument(
        "--webhook", action="append", default=[], metavar="URL", help="gets every event; may be repeated"
    )
    serve.add_argument(
        "--secret", default="whsec_fake_provider", help="signs the callbacks to --webhook (%(default)s)"
    )
    serve.add_argument("--script", metavar="FILE", help="JSON list of behaviours to begin with")
    serve.add_argument(
        "--profile", default="stripe_v1", metavar="NAME|FILE", help="rules of the provider (%(default)s)"
    )
    serve.add_argument("--seed", type=int, default=0, help="seed of ids and secrets (%(default)s)")
    serve.add_argument("--quiet", action="store_true", help="no log of requests and deliveries")
    faults = commands.add_parser("faults", help="list every misbehaviour with its meaning and parameters")
    faults.add_argument("--json", action="store_true", help="as JSON")
    commands.add_parser("profiles", help="list the profiles that come with it")
    return parser


def _show_faults(*, as_json: bool) -> None:
    if as_json:
        known = [
            {
                "name": fault.name,
                "on": fault.on,
                "meaning": fault.meaning,
                "parameters": dict(fault.parameters),
            }
            for fault in MISBEHAVIOURS.values()
        ]
        print(json.dumps(known, indent=2))
        return
    for on in ("request", "callback"):
        print(f"on a {on}:")
        for fault in MISBEHAVIOURS.values():
            if fault.on == on:
                print(f"  {fault.name:<22} {fault.meaning}")
                if fault.parameters:
                    given = ", ".join(
                        f"{name}={json.dumps(value)}" for name, value in fault.parameters.items()
                    )
                    print(f"  {'':<22}   {given}")
    print("every one also takes count=1: how many matches in a row it hits")


def _show_profiles() -> None:
    for name, path in shipped_profiles().items():
        comment = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        print(f"{name:<16} {comment}")


def _script(path: str | None) -> list[Behaviour]:
    """The behaviours of a script file."""
    if path is None:
        return []
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FakeProviderError(f"script {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise FakeProviderError(f"script {path} is not JSON: {error}.") from None
    if not isinstance(listed, list):
        raise FakeProviderError(f"script {path} must be a JSON list of behaviours.")
    return [Behaviour.from_json(item) for item in listed]


def _serve(args: argparse.Namespace) -> int:
    profile, behaviours = Profile.load(args.profile), _script(args.script)
    if not 0 <= args.port <= 65_535:
        raise FakeProviderError(f"port {args.port} does not exist; ports go from 0 (any free one) to 65535.")

    def make_provider(now_us: int) -> Provider:
        return Provider(
            profile,
            now_us=now_us,
            random=Random(args.seed),
            webhooks=args.webhook,
            secret=args.secret,
            behaviours=behaviours,
        )

    try:
        make_provider(0)
    except ApiError as error:
        raise FakeProviderError(f"webhook {', '.join(args.webhook)}: {error}") from None
    _allow_many_sockets()
    asyncio.run(_run(args, make_provider))
    return 0


def _allow_many_sockets() -> None:
    """Raises the soft limit of open files to the hard one, so that thousands of clients can connect."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(args: argparse.Namespace, make_provider: MakeProvider) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    service = Service(make_provider, log.nowhere if args.quiet else log.to_stderr)
    try:
        server = await loop.create_server(service.connection, args.host, args.port, backlog=1024)
    except OSError as error:
        await service.stop()
        reason = "address already in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        where = f"{args.host}:{args.port}"
        raise PortError(
            f"cannot listen on {where}: {reason}. Choose another --port, or 0 for any free one."
        ) from None
    host, port = server.sockets[0].getsockname()[:2]
    service.listens_at(f"http://{host}:{port}")
    print(
        f"fake_provider listens on http://{host}:{port} ({args.profile}); control: http://{host}:{port}/_control",
        flush=True,
    )
    await stopped.wait()
    server.close()
    await service.stop()
    print("fake_provider stopped", flush=True)


if __name__ == "__main__":
    sys.exit(main())
