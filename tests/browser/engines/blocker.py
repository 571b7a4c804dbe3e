"""An extension that blocks as the usual ones do, for Chromium and Firefox alike."""

import json
from pathlib import Path

from tests.browser.engines.engine import BLOCKED


def extension(folder: Path) -> Path:
    """Write the extension into a folder."""
    folder.mkdir()
    rules = [
        {
            "id": number,
            "priority": 1,
            "action": {"type": "block"},
            "condition": {"urlFilter": f"/{host}.*/event"},
        }
        for number, host in enumerate(BLOCKED, 1)
    ]
    manifest = {
        "manifest_version": 3,
        "name": "Blocker",
        "version": "1",
        "permissions": ["declarativeNetRequest"],
        "browser_specific_settings": {"gecko": {"id": "blocker@luot.example"}},
        "declarative_net_request": {
            "rule_resources": [{"id": "rules", "enabled": True, "path": "rules.json"}]
        },
    }
    (folder / "rules.json").write_text(json.dumps(rules))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
