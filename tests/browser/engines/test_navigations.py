"""Many navigations of all kinds, mixed: views made are views counted, page by page.

`make navigations` makes 300 in each engine, the tests fewer.
"""

import os
import random
from collections import Counter

from tests.browser.engines.engine import Engine
from tests.browser.engines.place import Place

NAVIGATIONS = int(os.environ.get("NAVIGATIONS", "24"))
PAGES = [f"/bai-{number}" for number in range(8)]
BLOCK = '<visitor-counter></visitor-counter><b data-luot-views></b><i data-luot="today"></i>'


def test_mixed_navigations_are_counted_page_by_page(engine: Engine, place: Place) -> None:
    chance = random.Random(15)
    addresses = {path: place.page(path, BLOCK) for path in PAGES}
    made: Counter[str] = Counter()
    here, before = "", ""
    for number in range(1, NAVIGATIONS + 1):
        kinds = ["open", "push"] + (["back"] if before else []) if here else ["open"]
        kind = chance.choice([*kinds, "reload"] if here else kinds)
        path = chance.choice([path for path in PAGES if path != here])
        if kind == "open":
            engine.open(addresses[path])
            here, before = path, ""
        elif kind == "push":
            # What corrects the address of a view that was counted is none.
            engine.evaluate(
                f"history.pushState({{}}, '', '{path}'); history.replaceState({{}}, '', '?trang=1')"
            )
            here, before = path, here
        elif kind == "back":
            engine.evaluate("void history.back()")
            here, before = before, ""
        else:
            engine.evaluate("void location.reload()")
            before = ""
        made[here] += 1
        assert place.sent(posts=number), f"{number}: {kind} {here}"
    assert place.comes(made)
    assert made.total() == NAVIGATIONS
    assert place.sent(posts=NAVIGATIONS)
