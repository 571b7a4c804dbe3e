"""The numbered files of the schema, and how they are read."""

import re

from services.store.dumps import portable
from services.store.migrations import migrations, statements


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_statement_may_be_run_twice() -> None:
    every = [statement for migration in migrations() for statement in migration.statements]
    for migration in migrations():
        for statement in migration.statements:
            if copied := re.match(r"INSERT INTO (\w+) SELECT", statement):
                # What is inserted again is merged with what is there.
                (made,) = [one for one in every if f"NOT EXISTS {copied[1]}\n" in one]
                assert "ENGINE = AggregatingMergeTree()" in made
                continue
            assert re.match(r"(CREATE|DROP|ALTER|TRUNCATE) ", statement)
            assert re.search(r"IF (NOT )?EXISTS", statement)


def test_backups_know_which_tables_are_partitioned_by_month() -> None:
    made = [
        re.match(r"CREATE TABLE IF NOT EXISTS (\w+).*\bPARTITION BY", statement, re.DOTALL)
        for migration in migrations()
        for statement in migration.statements
    ]
    tables = {match[1] for match in made if match} - {*portable.DERIVED}
    # The first of them is from before the one that holds its rows now.
    assert tables == {portable.VISITORS, *map(portable.held_in, portable.BY_MONTH)}


def test_a_script_is_split_at_semicolons_that_end_a_line() -> None:
    script = "-- first; not a statement;\nSELECT ';' AS a;\n\nSELECT\n  2 -- two\n;\n-- the end\n"
    assert statements(script) == ("SELECT ';' AS a", "SELECT\n  2 -- two")


def test_a_script_of_comments_has_no_statements() -> None:
    assert statements("-- nothing;\n\n") == ()
