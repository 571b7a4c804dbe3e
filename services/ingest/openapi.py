"""Fills the drop reasons into the OpenAPI of ingest: `python -m services.ingest.openapi`.

The rest of `docs/ingest.openapi.json` is written by hand: ingest has no framework to ask.
"""

import json
from pathlib import Path
from typing import Any

from services.ingest.drops import DropReason

DOCUMENT = Path(__file__).parents[2] / "docs" / "ingest.openapi.json"
HEADER = "X-Luot-Dropped"


def with_reasons(text: str) -> str:
    """Return an OpenAPI document with every reason wherever the header is described."""
    document = json.loads(text)
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                header: dict[str, Any] | None = response.get("headers", {}).get(HEADER)
                if header is not None:
                    header["schema"]["enum"] = [reason.value for reason in DropReason]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(with_reasons(DOCUMENT.read_text("utf-8")), "utf-8")
