"""Users, tokens and the audit log from the command line, on a new `luot up`."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from tests.servers.up import LUOT, READY_SECONDS, Up, environ, luot


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data")
    yield running
    assert running.end() == 0


def answered(up: Up, *arguments: str) -> Any:
    done = luot(*arguments, "--data", str(up.data), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def refused(up: Up, *arguments: str) -> str:
    """Return the one line that says why a command did nothing."""
    done = luot(*arguments, "--data", str(up.data))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr


def sign_in(up: Up, name: str, password: str) -> int:
    body = {"name": name, "password": password}
    return httpx.post(f"{up.url}/api/admin/sign-in", json=body).status_code


def first_password(up: Up) -> str:
    (password,) = re.findall(r"Sign in as admin with the password (\S+) ", "".join(up.output))
    return str(password)


def test_the_first_start_names_a_user_and_a_password_and_no_later_one_does(tmp_path: Path) -> None:
    first = Up(tmp_path)
    printed = re.findall(r"Sign in as (\S+) with the password (\S+) ", "".join(first.output))
    ((name, password),) = printed
    assert sign_in(first, name, password) == 200
    assert sign_in(first, name, password[:-1]) == 401
    first.end()
    assert password not in "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )

    second = Up(tmp_path)
    assert "password" not in "".join(second.output)
    assert sign_in(second, name, password) == 200
    second.end()


def test_users_are_administered_from_the_command_line(up: Up) -> None:
    data = ("--data", str(up.data))
    added = answered(up, "user", "add", "lan", "--site", "demo", "--generate")
    assert (added["role"], added["sites"]) == ("viewer", ["demo"])
    assert sign_in(up, "lan", added["password"]) == 200
    assert "'lan' exists already" in refused(
        up, "user", "add", "lan", "--site", "demo", "--generate"
    )
    assert "none; expected at least one" in refused(up, "user", "add", "minh", "--generate")
    assert "--password-stdin or --generate" in refused(up, "user", "add", "minh")

    edited = answered(up, "user", "edit", "lan", "--role", "editor", "--site", "*")
    assert (edited["role"], edited["sites"]) == ("editor", ["*"])
    changed = subprocess.run(
        [*LUOT, "user", "passwd", "lan", "--password-stdin", *data],
        input="bánh mì và cà phê\n",
        env=environ(),
        text=True,
        timeout=READY_SECONDS,
        check=True,
        capture_output=True,
    )
    assert changed.stdout == "changed\n"
    assert sign_in(up, "lan", added["password"]) == 401
    assert sign_in(up, "lan", "bánh mì và cà phê") == 200

    table = luot("user", "list", *data)
    assert "lan" in table.stdout
    assert "editor" in table.stdout
    assert "the last owner" in refused(up, "user", "remove", "admin", "--yes")
    assert "give --yes" in refused(up, "user", "remove", "lan")
    assert luot("user", "remove", "lan", "--yes", *data).returncode == 0
    assert [user["name"] for user in answered(up, "user", "list")] == ["admin"]


def test_a_token_is_printed_alone_and_is_refused_once_it_is_revoked(up: Up) -> None:
    data = ("--data", str(up.data))
    made = luot("token", "add", "--site", "demo", "--note", "export [red]", *data)
    secret = made.stdout.strip()
    assert re.fullmatch(r"luot_[\w-]{43}", secret)
    assert secret not in made.stderr
    shown = luot("site", "list", "--json", LUOT_URL=up.url, LUOT_TOKEN=secret)
    assert [site["slug"] for site in json.loads(shown.stdout)] == ["demo"]
    denied = luot("site", "add", "x", LUOT_URL=up.url, LUOT_TOKEN=secret)
    assert (denied.returncode, "403" in denied.stderr) == (2, True)

    (token,) = answered(up, "token", "list")
    assert (token["note"], token["expires_at"]) == ("export [red]", None)
    table = luot("token", "list", *data).stdout
    assert "export [red]" in table
    assert secret not in table
    assert "expected its ID" in refused(up, "token", "revoke", secret)
    assert luot("token", "revoke", token["id"], *data).returncode == 0
    late = luot("site", "list", LUOT_URL=up.url, LUOT_TOKEN=secret)
    assert (late.returncode, "401" in late.stderr) == (2, True)


def test_a_token_ends_when_it_was_said_to(up: Up) -> None:
    made = answered(up, "token", "add", "--site", "*", "--expires", "2199-12-31")
    assert made["expires_at"] == 7258118399999
    days = answered(up, "token", "add", "--site", "*", "--expires", "90d")
    assert days["expires_at"] - days["created_at"] == pytest.approx(90 * 86_400_000, abs=60_000)
    for wrong in ("soon", "0d", "2027-02-30"):
        asked = ("token", "add", "--site", "*", "--expires", wrong)
        assert "expected for example 90d" in refused(up, *asked)
    assert "is over" in refused(up, "token", "add", "--site", "*", "--expires", "2020-01-01")


def test_the_audit_log_is_read_from_the_command_line(up: Up) -> None:
    for name in ("One", "Two", "Three"):
        answered(up, "site", "edit", "demo", "--name", name)
    entries = answered(up, "audit", "--site", "demo", "--limit", "2")
    assert [entry["after"]["name"] for entry in entries] == ["Three", "Two"]
    assert entries[0]["before"]["name"] == "Two"
    table = luot("audit", "--data", str(up.data)).stdout
    assert "admin token" in table
    assert "site.edit" in table
    assert answered(up, "audit", "--who", "nobody") == []
    password = first_password(up)
    assert sign_in(up, "admin", password) == 200
    assert sign_in(up, "admin", "a wrong password") == 401
    (signed,) = answered(up, "audit", "--action", "sign_in", "--limit", "1")
    assert (signed["who"], "browser" in signed["after"]) == ("admin", True)
    deadline = time.monotonic() + READY_SECONDS
    refused: dict[str, str] = {}
    # Those of the tests before are there, too: of each name an entry.
    while "admin" not in refused:
        assert time.monotonic() < deadline
        entries = answered(up, "audit", "--action", "sign_in.refused")
        refused = {entry["subject"]: entry["who"] for entry in entries}
    assert refused["admin"] == "(unknown)"


def test_a_weak_password_is_refused_and_says_why(up: Up) -> None:
    for command in (("user", "passwd", "admin"), ("user", "add", "minh", "--site", "*")):
        done = subprocess.run(
            [*LUOT, *command, "--password-stdin", "--data", str(up.data)],
            input="matkhau123\n",
            env=environ(),
            text=True,
            timeout=READY_SECONDS,
            check=False,
            capture_output=True,
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "a common password" in done.stderr
        assert "matkhau123" not in done.stderr


def test_a_second_factor_is_required_and_reset_from_the_command_line(up: Up) -> None:
    data = ("--data", str(up.data))
    added = answered(
        up, "user", "add", "thu", "--site", "demo", "--generate", "--require-second-factor"
    )
    assert added["second_factor_required"] is True
    assert "required, not yet on" in luot("user", "list", *data).stdout
    with httpx.Client(base_url=f"{up.url}/api/admin") as thu:
        body = {"name": "thu", "password": added["password"]}
        thu.headers["X-CSRF-Token"] = thu.post("/sign-in", json=body).json()["csrf"]
        assert thu.get("/sites").status_code == 403
        secret = thu.post("/second-factor/secret").json()["secret"]
        new = {"password": added["password"], "secret": secret, "code": pyotp.TOTP(secret).now()}
        assert thu.put("/second-factor", json=new).status_code == 200
        assert thu.get("/sites").status_code == 200
    assert sign_in(up, "thu", added["password"]) == 401

    assert "give --yes" in refused(up, "user", "reset-second-factor", "thu")
    reset = luot("user", "reset-second-factor", "thu", "--yes", *data)
    assert (reset.returncode, reset.stdout) == (0, "reset the second factor of thu\n")
    assert "has no second factor" in refused(up, "user", "reset-second-factor", "thu", "--yes")
    assert sign_in(up, "thu", added["password"]) == 200
    eased = answered(up, "user", "edit", "thu", "--second-factor-optional")
    assert eased["second_factor_required"] is False


def test_a_backup_is_in_the_audit_log_and_takes_a_token_for_it(up: Up, tmp_path: Path) -> None:
    owner = luot("token", "add", "--role", "owner", "--data", str(up.data)).stdout.strip()
    right = luot("token", "add", "--role", "backup", "--data", str(up.data)).stdout.strip()
    denied = luot("backup", str(tmp_path / "one"), LUOT_URL=up.url, LUOT_TOKEN=owner)
    assert (denied.returncode, "luot token add --role backup" in denied.stderr) == (2, True)
    taken = luot("backup", str(tmp_path / "two"), LUOT_URL=up.url, LUOT_TOKEN=right)
    assert (taken.returncode, taken.stderr) == (0, "")
    (entry,) = answered(up, "audit", "--action", "backup")
    assert entry["who"].startswith("token:")
