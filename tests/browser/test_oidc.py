"""An editor signs in with the account of the province, and signs out of both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.admin import PHONE, Desk, problems
from tests.servers import oidc
from tests.servers.oidc import OidcProvider
from tests.servers.redis import free_port
from tests.servers.up import Up


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    provider = OidcProvider(tmp_path_factory.mktemp("provider"), f"http://127.0.0.1:{free_port()}")
    provider.person("lan", "admins")
    provider.person("nga")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def luot(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    port = int(provider.settings["LUOT_PUBLIC_URL"].rpartition(":")[2])
    data: Path = tmp_path_factory.mktemp("up") / "data"
    up = Up(data, port, **provider.settings)
    yield up
    up.end()


@pytest.mark.parametrize("viewport", [{"width": 1080, "height": 700}, PHONE])
def test_an_editor_signs_in_at_the_provider_and_out_again(
    browser: Browser, luot: Up, provider: OidcProvider, viewport: dict[str, int]
) -> None:
    url = provider.settings["LUOT_PUBLIC_URL"]
    desk = Desk(browser, url, viewport=viewport)
    page = desk.open("/admin/sites/demo")
    assert problems(page) == []
    page.get_by_role("link", name="Đăng nhập bằng Cổng tỉnh").click()
    page.get_by_label("Username").fill("lan")
    page.get_by_label("Password").fill(oidc.PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{url}/admin/sites/demo")

    desk.open("/admin/account")
    expect(page.get_by_text("Tài khoản này đăng nhập bằng Cổng tỉnh")).to_be_visible()
    expect(page.get_by_label("Mật khẩu hiện tại")).to_have_count(0)
    assert problems(page) == []
    desk.open("/admin/users/lan")
    expect(page.get_by_text("Tài khoản này đăng nhập bằng Cổng tỉnh")).to_be_visible()
    assert problems(page) == []

    page.get_by_role("button", name="Đăng xuất").click()
    expect(page.get_by_text("Bạn đã đăng xuất khỏi Luot.")).to_be_visible()
    assert problems(page) == []
    page.get_by_role("link", name="Đăng xuất cả khỏi Cổng tỉnh").click()
    page.get_by_role("button", name="Logout").click()
    page.wait_for_url(f"{url}/admin/sign-in*")
    page.get_by_role("link", name="Đăng nhập bằng Cổng tỉnh").click()
    expect(page.get_by_label("Username")).to_be_visible()  # it has forgotten them

    page.get_by_label("Username").fill("nga")
    page.get_by_label("Password").fill(oidc.PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("không thuộc nhóm nào được cấp quyền")
    assert problems(page) == []
    # The refusal is made on purpose, and the provider of the test has no icon.
    desk.wrong = [said for said in desk.wrong if "403" not in said and "404" not in said]
    desk.close()
