"""The sites of the demo where it is noon, in the data folder of a `luot up` that has yet to start.

`python -m tests.browser.demo_at_noon FOLDER`: no day ends there while tests read the day's numbers.
"""

import asyncio
import sys
from pathlib import Path

from msgspec import structs

from services.standalone.demo import opening
from tests.browser.past import write
from tests.noon import zone_at_noon

if __name__ == "__main__":
    zone = zone_at_noon()
    moved = [structs.replace(site, timezone=zone) for site in opening.SITES]
    asyncio.run(write(Path(sys.argv[1]), moved, []))
