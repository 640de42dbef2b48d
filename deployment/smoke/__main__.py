"""`make smoke`: check a live deployment without changing anything; it needs only the URL and leave to call it."""

from __future__ import annotations

import argparse
import sys

from deployment.smoke.checks import Result, first_contact, further
from deployment.smoke.client import AUTHS, client_of
from detection.errors import UserError
from loadtest.runs import parse_target


def main(arguments: list[str] | None = None) -> int:
    """Print what the deployment is and each check that fails; returns 1 if one does."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("target", help="URL before /predict (TARGET=)")
    parser.add_argument(
        "--auth",
        choices=AUTHS,
        help="How to call (AUTH=): iam signs with AWS credentials, key sends API_KEY in API_KEY_HEADER (x-api-key); "
        "by default key if API_KEY is set",
    )
    options = parser.parse_args(arguments)
    try:
        target = parse_target(options.target)
        client = client_of(target, options.auth)
        facts, first = first_contact(client)
        print(f"{target.url}: {facts}")
        failed, count = _report(first), 1
        for result in further(client):
            failed, count = failed + _report(result), count + 1
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was changed", file=sys.stderr)
        return 130
    print(f"{count - failed} of {count} checks passed")
    return 1 if failed else 0


def _report(result: Result) -> int:
    if result.wrong is None:
        return 0
    print(f"failed: {result.name}: {result.wrong}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
