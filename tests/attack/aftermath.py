"""What got through is taken back."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.attack.floods import Outcome, Shot, browser, fire, told
from tests.attack.target import ATTACKED, Target

PATH = "/tin-tuc/bia-dat"


async def taken_back(target: Target, seconds: float, hits: int = 400) -> Outcome:
    """Push an invented page up; then an administrator takes all of its views back."""
    shots = (Shot(PATH, browser(number)) for number in range(hits))
    answers = await fire(target, shots, seconds, "198.51.100.15")
    await target.shows(PATH, answers["202"])
    route = f"/api/admin/sites/{ATTACKED}/corrections"
    since = datetime.now(UTC) - timedelta(hours=1)
    query = {"from": since.isoformat(), "filters": f"event:page=={PATH}"}
    async with httpx.AsyncClient(
        base_url=target.api.url, headers=target.api_headers, timeout=60
    ) as api:
        looked = await api.post(f"{route}/preview", json=query)
        assert looked.is_success, looked.text
        preview = looked.json()
        correction = {
            "id": preview["id"],
            "query": preview["query"],
            "up_to": preview["up_to"],
            "views": preview["views"],
            "reason": "máy tự động",
        }
        made = await api.post(route, json=correction)
        assert made.is_success, made.text
    left = await target.shows(PATH, 0)
    problems = [] if left == 0 else [f"{PATH} shows {left} views after they were taken back"]
    if preview["views"] != answers["202"]:
        problems.append(f"{preview['views']} views were found of {answers['202']}")
    said = f"{told(answers)}; taken back: {preview['views']} views, {preview['visits']} visits"
    return Outcome(said, tuple(problems))
