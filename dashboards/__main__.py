"""Write the dashboards that Grafana reads: `make dashboards`."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import api, ingest, log, overview, runbook, site, stores

FOLDER = Path(__file__).parents[1] / "deploy" / "monitoring" / "grafana" / "dashboards"
BOARDS = (overview, ingest, log, api, stores, site, runbook)


def documents() -> dict[str, str]:
    """Return every file of a dashboard, by name."""
    boards = [module.dashboard() for module in BOARDS]
    return {f"{board.uid}.json": encode(board) for board in boards}


def encode(board: Dashboard) -> str:
    """Return a dashboard as Grafana reads it; the same dashboard is the same text."""
    text = json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
    return text + "\n"


def main() -> int:
    """Write all of them, and remove those that are none any more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = documents()
    for path in FOLDER.glob("*.json"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
