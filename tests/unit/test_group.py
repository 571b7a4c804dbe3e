"""Groups of sites are a tree, whatever is asked for or stored."""

import pytest
from msgspec import structs

from services.api.stats.grammar.site_query import LONG_PERIODS, PERIODS, REPORTS, YESTERDAY
from services.api.stats.periods.spans import Period
from services.model.default_period import DefaultPeriod
from services.model.group import MAX_DEPTH, Group, GroupTree


def group(slug: str, parent: str = "", *sites: str) -> Group:
    return Group(slug=slug, parent=parent, sites=sites)


PROVINCE = group("tinh", "", "cong", "so")
DISTRICT = group("huyen", "tinh", "huyen-a")
COMMUNE = group("xa", "huyen", "xa-1", "so")
OTHER = group("khac", "", "cong-khac")
TREE = GroupTree([COMMUNE, OTHER, DISTRICT, PROVINCE])


def test_the_sites_of_a_group_are_its_own_and_those_below_each_once() -> None:
    assert TREE.sites_of(PROVINCE) == ("cong", "huyen-a", "so", "xa-1")
    assert TREE.sites_of(DISTRICT) == ("huyen-a", "so", "xa-1")
    assert TREE.sites_of(OTHER) == ("cong-khac",)


def test_a_path_leads_from_the_top_to_the_group() -> None:
    assert TREE.path(COMMUNE) == (PROVINCE, DISTRICT, COMMUNE)
    assert TREE.path(group("alone", "gone")) == (group("alone", "gone"),)


@pytest.mark.parametrize("parent", ["tinh", "huyen", "xa"])
def test_no_group_goes_below_itself(parent: str) -> None:
    with pytest.raises(ValueError, match="or below it"):
        TREE.check(group("tinh", parent))


def test_a_parent_has_to_be_there() -> None:
    with pytest.raises(ValueError, match="'none' is not a group"):
        TREE.check(group("new", "none"))
    TREE.check(group("new", "xa"))


def test_the_tree_is_no_deeper_than_it_may_be_also_by_what_is_moved() -> None:
    chain = [group(f"g{n}", f"g{n - 1}" if n else "") for n in range(MAX_DEPTH)]
    tree = GroupTree([*chain, group("two"), group("below", "two")])
    with pytest.raises(ValueError, match=f"{MAX_DEPTH + 1} levels"):
        tree.check(group("new", chain[-1].slug))
    with pytest.raises(ValueError, match=f"{MAX_DEPTH + 1} levels"):
        tree.check(group("two", chain[-2].slug))
    tree.check(group("two", chain[-3].slug))


def test_a_circle_that_was_stored_ends_every_walk() -> None:
    one, two = group("one", "two", "a"), group("two", "one", "b")
    tree = GroupTree([one, two])
    assert tree.sites_of(one) == tree.sites_of(two) == ("a", "b")
    assert tree.path(one) == (two, one)
    tree.check(group("one", "", "a"))


def test_a_site_takes_the_period_of_the_nearest_group_that_has_one() -> None:
    province = structs.replace(PROVINCE, default_period=DefaultPeriod.REPORT_MONTH)
    commune = structs.replace(COMMUNE, default_period=DefaultPeriod.DAY)
    tree = GroupTree([commune, DISTRICT, province, OTHER])
    found = {name: tree.default_period(name) for name in ("xa-1", "huyen-a", "cong", "cong-khac")}
    assert found == {"xa-1": "day", "huyen-a": "report_month", "cong": "report_month"} | {
        "cong-khac": "",
    }
    # In both: the first by slug.
    assert tree.default_period("so") == "report_month"
    assert tree.default_period("none") == DefaultPeriod.OF_GROUP
    of_groups = [tree.period_of(one) for one in (province, DISTRICT, commune, OTHER)]
    assert of_groups == ["report_month", "report_month", "day", ""]


def test_a_page_can_open_with_each_period_that_it_offers_and_no_other() -> None:
    offered = {*PERIODS, *LONG_PERIODS, *REPORTS}
    assert {period.value for period in DefaultPeriod} == {"", *offered}
    assert offered <= {*Period, YESTERDAY}
