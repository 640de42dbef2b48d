"""`python -m deployment.dashboards`: write the dashboards and alerts from the list of figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deployment.dashboards.cloudwatch import SOURCES, dashboard
from deployment.dashboards.prometheus import alerts, grafana
from local.checkout import ROOT


def contents() -> dict[Path, str]:
    """Every written file, by its path in the checkout."""
    files = {Path("deployment") / "terraform" / module / "dashboard.tf": dashboard(module) for module in SOURCES}
    folder = Path("deployment") / "dashboards"
    return files | {folder / "grafana.json": grafana(), folder / "alerts.yaml": alerts()}


def main(arguments: list[str] | None = None) -> int:
    """Write the files that have changed and name them; returns the exit status."""
    argparse.ArgumentParser(prog="python -m deployment.dashboards", description=__doc__).parse_args(arguments)
    for path, text in contents().items():
        file = ROOT / path
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
