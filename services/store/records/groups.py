"""The groups of sites: a small table in which the newest version of a row counts."""

from services.model.group import Group
from services.store.records.accounts import Table

GROUPS: Table[Group] = Table("site_groups", "slug", Group)
