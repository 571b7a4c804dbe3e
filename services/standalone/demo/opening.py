"""Sets up the demo at the first start: its sites and their opening balances."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from services.model.calendar import Grain
from services.model.display import Display, Format, Preset
from services.model.lines import PERIODS, Line
from services.model.site import ANY_HOST, Metric, Site
from services.standalone.demo.portals import INDEX
from services.store.interface import Store
from services.store.records import balances, sites
from services.store.records.balances import BalanceEntry

AUTHOR = "luot up"
REASON = "what the old counter of this demo portal showed"


class OldCounter(NamedTuple):
    """What an old counter showed; the first visitor of the demo is yet to be added.

    The periods are named as in `Line`, and each is a single counter row.

    articles  views by path
    """

    today: int = 0
    yesterday: int = 0
    this_month: int = 0
    last_month: int = 0
    this_year: int = 0
    last_year: int = 0
    total: int = 0
    articles: tuple[tuple[str, int], ...] = ()


SITES = (
    # Views, because someone trying Luot alone, from one browser, wants every click to count.
    Site(
        slug=INDEX.site,
        name="Cổng thông tin điện tử thành phố Mẫu",
        hosts=(ANY_HOST,),
        metric=Metric.VIEWS,
    ),
    Site(
        slug="demo-mytho",
        name="Trang thông tin điện tử thành phố Mỹ Tho (mẫu)",
        hosts=(ANY_HOST,),
        display=Display(
            format=Format.PLAIN,
            preset=Preset.LIFERAY,
            lines=(Line.ONLINE, Line.TODAY, Line.TOTAL),
            labels={Line.ONLINE: "Đang truy cập "},
            heading="",
        ),
    ),
    Site(slug="demo-dnn", name="Cổng thông tin điện tử huyện (mẫu)", hosts=(ANY_HOST,)),
    Site(slug="demo-danang", name="Trang tin Đà Nẵng (mẫu)", hosts=(ANY_HOST,)),
    Site(slug="demo-hcm", name="Trang tin Thành phố Hồ Chí Minh (mẫu)", hosts=(ANY_HOST,)),
    Site(slug="demo-nghean", name="Cổng thông tin tỉnh Nghệ An (mẫu)", hosts=(ANY_HOST,)),
)

OLD_COUNTERS = {
    "demo-mytho": OldCounter(
        today=69,
        yesterday=214,
        this_month=4_870,
        last_month=6_412,
        this_year=71_305,
        last_year=83_921,
        total=907_034,
        articles=(
            ("/demo/mytho/cho-noi-cuoi-tuan", 1_286),
            ("/demo/mytho/tuyen-xe-buyt-song-tien", 642),
        ),
    ),
    "demo-dnn": OldCounter(
        today=6_324,
        yesterday=7_097,
        this_month=119_943,
        last_month=108_517,
        this_year=119_943,
        last_year=1_845_672,
        total=8_307_144,
        articles=(
            ("/demo/dnn/lich-cat-dien-bao-tri", 444),
            ("/demo/dnn/giai-bong-chuyen", 318),
        ),
    ),
    "demo-danang": OldCounter(
        today=1_866,
        yesterday=2_310,
        this_month=41_902,
        last_month=55_718,
        this_year=602_377,
        last_year=588_140,
        total=2_114_806,
        articles=(
            ("/demo/danang/don-rac-bai-bien", 253),
            ("/demo/danang/thu-vien-mo-cua-buoi-toi", 1_907),
            ("/demo/danang/gop-y-duong-di-bo", 586),
            ("/demo/danang/gioi-thieu", 3_322),
        ),
    ),
    "demo-hcm": OldCounter(
        today=15_208,
        yesterday=22_946,
        this_month=301_775,
        last_month=388_012,
        this_year=4_120_655,
        last_year=3_904_418,
        total=48_911_320,
        articles=(
            ("/demo/hcm/lop-tin-hoc-nguoi-cao-tuoi", 2_540),
            ("/demo/hcm/cay-xanh-tuyen-kenh", 1_873),
        ),
    ),
    "demo-nghean": OldCounter(
        today=3_415,
        yesterday=5_020,
        this_month=87_264,
        last_month=112_903,
        this_year=1_043_870,
        last_year=1_190_422,
        total=21_506_733,
        articles=(
            ("/demo/nghean/mua-cam-vao-vu", 761),
            ("/demo/nghean/bao-tang-mo-cua", 1_094),
        ),
    ),
}


async def prepare(store: Store, now_ms: int) -> None:
    """Create the sites and balances that the store lacks; idempotent."""
    known = {site.slug: site for site in await sites.load(store)}
    for site in SITES:
        if site.slug not in known:
            known[site.slug] = msgspec.structs.replace(site, created_at=now_ms)
            await sites.save(store, known[site.slug], version=now_ms)
    for slug, numbers in OLD_COUNTERS.items():
        ledger = list(entries(numbers, known[slug].day_of(now_ms), now_ms))
        known_ids = await balances.find(store, slug, {entry.id for entry in ledger})
        await balances.add(store, slug, [entry for entry in ledger if entry.id not in known_ids])


def entries(numbers: OldCounter, today: int, now_ms: int) -> Iterable[BalanceEntry]:
    """Return the ledger entries that make a block show these numbers on a given day of its site."""
    for line, rows in PERIODS.items():
        if visits := getattr(numbers, line, 0):
            ((grain, start),) = rows(today)
            yield BalanceEntry(
                f"demo:{line}", "", grain, start, 3 * visits, visits, AUTHOR, now_ms, REASON
            )
    for path, views in numbers.articles:
        name = path.rpartition("/")[2]
        yield BalanceEntry(f"demo:{name}", path, Grain.TOTAL, 0, views, 0, AUTHOR, now_ms, REASON)
