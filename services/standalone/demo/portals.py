"""The portals of the demo: sites that embed the counter, each in its own way."""

from typing import NamedTuple

ROOT = "/demo"

_PICTURES = (
    "style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_POLICY = f"default-src 'none'; {_PICTURES}"
_SCRIPT = f"default-src 'none'; script-src 'self'; connect-src 'self'; {_PICTURES}"


class Portal(NamedTuple):
    """One portal.

    name      names its folder, its style sheet and its path below /demo
    site      the slug that it is counted under
    title     display name
    system    the CMS of such a portal
    way       how it embeds the counter, in Vietnamese
    in_short  the same in English
    setting   the command that set its options, '' for none
    policy    the Content-Security-Policy that it sends
    """

    name: str
    site: str
    title: str
    system: str
    way: str
    in_short: str
    setting: str = ""
    policy: str = _SCRIPT

    @property
    def home(self) -> str:
        """The path of its home page."""
        return ROOT if self.name == "index" else f"{ROOT}/{self.name}"


INDEX = Portal(
    name="index",
    site="demo",
    title="Các cổng mẫu",
    system="Luot",
    way="Con số đứng giữa câu văn: mỗi số là một thẻ, nhãn là chữ của trang.",
    in_short="Single numbers in the page's own words.",
)
PORTALS = (
    Portal(
        name="mytho",
        site="demo-mytho",
        title="Thành phố Mỹ Tho",
        system="Liferay",
        way="Mọi thứ là cài đặt của site trên Luot: thẻ không có thuộc tính nào.",
        in_short="All is set once for the whole site; the element is bare.",
        setting=(
            "luot site edit demo-mytho --preset liferay --format plain --lines online,today,total"
            ' --label "online=Đang truy cập " --heading ""'
        ),
    ),
    Portal(
        name="dnn",
        site="demo-dnn",
        title="Huyện Bình Sơn Hạ",
        system="DNN",
        way="Khối với mười một chữ số, chọn dòng bằng thuộc tính; lượt xem ở đầu bài viết.",
        in_short="Lines, digits and look are attributes; views in the article's head.",
    ),
    Portal(
        name="danang",
        site="demo-danang",
        title="Đà Nẵng",
        system="Drupal",
        way="Chỉ có lượt xem: của bài đang đọc, và của cả danh sách trong một lần hỏi.",
        in_short="Views only: of this article, and of a whole list in one request.",
    ),
    Portal(
        name="hcm",
        site="demo-hcm",
        title="Thành phố Hồ Chí Minh",
        system="Joomla",
        way="Chỉ một thẻ script và một thẻ khối; sáng hay tối là theo trang.",
        in_short="One script and one element; light or dark as the page is.",
        policy=f"{_SCRIPT}; require-trusted-types-for 'script'; trusted-types luot",
    ),
    Portal(
        name="nghean",
        site="demo-nghean",
        title="Tỉnh Nghệ An",
        system="NukeViet",
        way="Không có script nào: một ảnh đếm, một ảnh cho thấy số.",
        in_short="No script at all: one image counts, another shows the numbers.",
        policy=_POLICY,
    ),
)
SAMPLE = Portal(
    name="mau",
    site="demo",
    title="Thành phố Mẫu",
    system="Mẫu trang riêng",
    way="Khối do chính trang vẽ; mỗi con số là một thẻ.",
    in_short="The page draws the block itself; each number is one element.",
)
ALL = (INDEX, *PORTALS, SAMPLE)


def after(portal: Portal) -> Portal:
    """Return the next portal on the tour of all of them."""
    ring = (*PORTALS, SAMPLE)
    return ring[(ring.index(portal) + 1) % len(ring)] if portal in ring else ring[0]
