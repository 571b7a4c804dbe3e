"""The provinces of Viet Nam by their ISO 3166-2 codes, and how they were merged in 2025.

Since 1 July 2025 there are 34, each with the name of one of the previous 63. What a code means, the
province before or after that day, depends on the file that it comes from.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from services.model.letters import plain

COUNTRY = "VN"
_BEFORE_NAME = ("thanh pho ", "tinh ", "tp. ", "tp ")
_AFTER_NAME = (" province", " city")
_OTHER_NAMES = {
    "saigon": "VN-SG",
    "thuathienhue": "VN-26",
    "baccan": "VN-53",
    "dacnong": "VN-72",
    "daclac": "VN-33",
}
"""Other spellings in location files."""


class Province(NamedTuple):
    """A province.

    name     in Vietnamese
    into     the code of the province that it is part of since 1 July 2025; '' if it still exists
    english  in English; '' if that is the name without diacritics
    """

    name: str
    into: str = ""
    english: str = ""

    @property
    def in_english(self) -> str:
        """Its name in English."""
        return self.english or plain(self.name)


PROVINCES: Mapping[str, Province] = {
    "VN-01": Province("Lai Châu"),
    "VN-02": Province("Lào Cai"),
    "VN-03": Province("Hà Giang", "VN-07"),
    "VN-04": Province("Cao Bằng"),
    "VN-05": Province("Sơn La"),
    "VN-06": Province("Yên Bái", "VN-02"),
    "VN-07": Province("Tuyên Quang"),
    "VN-09": Province("Lạng Sơn"),
    "VN-13": Province("Quảng Ninh"),
    "VN-14": Province("Hòa Bình", "VN-68"),
    "VN-18": Province("Ninh Bình"),
    "VN-20": Province("Thái Bình", "VN-66"),
    "VN-21": Province("Thanh Hóa"),
    "VN-22": Province("Nghệ An"),
    "VN-23": Province("Hà Tĩnh"),
    "VN-24": Province("Quảng Bình", "VN-25"),
    "VN-25": Province("Quảng Trị"),
    "VN-26": Province("Huế"),
    "VN-27": Province("Quảng Nam", "VN-DN"),
    "VN-28": Province("Kon Tum", "VN-29"),
    "VN-29": Province("Quảng Ngãi"),
    "VN-30": Province("Gia Lai"),
    "VN-31": Province("Bình Định", "VN-30"),
    "VN-32": Province("Phú Yên", "VN-33"),
    "VN-33": Province("Đắk Lắk"),
    "VN-34": Province("Khánh Hòa"),
    "VN-35": Province("Lâm Đồng"),
    "VN-36": Province("Ninh Thuận", "VN-34"),
    "VN-37": Province("Tây Ninh"),
    "VN-39": Province("Đồng Nai"),
    "VN-40": Province("Bình Thuận", "VN-35"),
    "VN-41": Province("Long An", "VN-37"),
    "VN-43": Province("Bà Rịa - Vũng Tàu", "VN-SG"),
    "VN-44": Province("An Giang"),
    "VN-45": Province("Đồng Tháp"),
    "VN-46": Province("Tiền Giang", "VN-45"),
    "VN-47": Province("Kiên Giang", "VN-44"),
    "VN-49": Province("Vĩnh Long"),
    "VN-50": Province("Bến Tre", "VN-49"),
    "VN-51": Province("Trà Vinh", "VN-49"),
    "VN-52": Province("Sóc Trăng", "VN-CT"),
    "VN-53": Province("Bắc Kạn", "VN-69"),
    "VN-54": Province("Bắc Giang", "VN-56"),
    "VN-55": Province("Bạc Liêu", "VN-59"),
    "VN-56": Province("Bắc Ninh"),
    "VN-57": Province("Bình Dương", "VN-SG"),
    "VN-58": Province("Bình Phước", "VN-39"),
    "VN-59": Province("Cà Mau"),
    "VN-61": Province("Hải Dương", "VN-HP"),
    "VN-63": Province("Hà Nam", "VN-18"),
    "VN-66": Province("Hưng Yên"),
    "VN-67": Province("Nam Định", "VN-18"),
    "VN-68": Province("Phú Thọ"),
    "VN-69": Province("Thái Nguyên"),
    "VN-70": Province("Vĩnh Phúc", "VN-68"),
    "VN-71": Province("Điện Biên"),
    "VN-72": Province("Đắk Nông", "VN-35"),
    "VN-73": Province("Hậu Giang", "VN-CT"),
    "VN-CT": Province("Cần Thơ"),
    "VN-DN": Province("Đà Nẵng"),
    "VN-HN": Province("Hà Nội", english="Hanoi"),
    "VN-HP": Province("Hải Phòng"),
    "VN-SG": Province("Hồ Chí Minh", english="Ho Chi Minh City"),
}


def code_of(name: str) -> str:
    """Return the code of a province by its name, with or without diacritics; '' if unknown."""
    return _codes().get(_key(name), "")


def _key(name: str) -> str:
    text = plain(name).casefold().strip()
    for before in _BEFORE_NAME:
        text = text.removeprefix(before)
    for after in _AFTER_NAME:
        text = text.removesuffix(after)
    return "".join(letter for letter in text if letter.isalpha())


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    return {_key(province.name): code for code, province in PROVINCES.items()} | _OTHER_NAMES
