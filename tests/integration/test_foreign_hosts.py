"""A page whose host is not one of its site: the people of the site are told why nothing counts."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.servers.system import TOKEN, System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    try:
        yield system.start()
    finally:
        system.stop()


def page(system: System, site: str, lang: str = "en") -> str:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{system.api.url}/admin/sites/{site}?lang={lang}", headers=headers)
    assert answer.status_code == 200
    return answer.text


def test_the_dashboard_of_a_site_names_the_hits_of_other_hosts(system: System) -> None:
    system.add_site("mytho", hosts=["cong.mytho.example"])
    for _ in range(3):
        answer = system.hit("mytho", "/")
        assert answer.headers["x-luot-dropped"] == "foreign_host"
    # Those by which a test learns that ingest knows a site are of another host, too.
    told = r"(\d+) hits of the last minutes came from pages whose host is not one of this site"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := re.search(told, page(system, "mytho"))) or int(found[1]) < 3:
        assert time.monotonic() < deadline, "the page of the site does not say so"
        time.sleep(0.2)
    assert "lượt trong ít phút qua đến từ trang có tên miền" in page(system, "mytho", "vi")
