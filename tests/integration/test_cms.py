"""The modules of deploy/cms, run against as much of each system's API as they call."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from services.widget.snippet import PinnedScript, Snippet
from tests import require

ROOT = Path(__file__).parents[2]
CMS = ROOT / "deploy/cms"
STUBS = ROOT / "tests/data/cms"
URL = "https://thongke.example.vn"
SNIPPET = Snippet(URL, "mytho", PinnedScript("", "", "")).ways()
SCRIPT, BLOCK = SNIPPET["script"], SNIPPET["block"]
NASTY = '"><script>x</script>'


def run(system: str, file: str, **options: Any) -> dict[str, Any]:
    """Run a module with these options, and return what its stub prints."""
    php = require.program("php")
    command = [php, str(STUBS / f"{system}.php"), str(CMS / file), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.mark.parametrize("path", sorted(CMS.rglob("*.php")), ids=lambda path: path.name)
def test_php_can_read_it(path: Path) -> None:
    done = subprocess.run(
        [require.program("php"), "-l", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_the_plugin_of_wordpress() -> None:
    file = "wordpress/luot/luot.php"
    page = run("wordpress", file, luot_url=f"{URL}/", luot_site="mytho")
    assert page["head"] == f"{SCRIPT}\n"
    assert (page["block"], page["views"]) == (BLOCK, SNIPPET["views"])
    assert page["settings"] == {"luot_url": "esc_url_raw", "luot_site": "sanitize_text_field"}
    assert re.findall(r'name="(\w+)".*?value="([^"]*)"', page["form"]) == [
        ("luot_url", f"{URL}/"),
        ("luot_site", "mytho"),
    ]
    writer = run("wordpress", file, luot_url=URL, luot_site="mytho", editor=True)
    assert writer["head"] == f"{SCRIPT}\n".replace("></", " data-manual></")
    missing = run("wordpress", file, luot_url=URL, luot_site="mytho", missing=True)
    assert missing["head"] == f"{SCRIPT}\n".replace("></", " data-404></")
    assert run("wordpress", file)["head"] == ""
    nasty = run("wordpress", file, luot_url=NASTY, luot_site=NASTY)
    assert NASTY not in nasty["head"] + nasty["form"]


def test_the_module_of_joomla() -> None:
    file = "joomla/mod_luot/mod_luot.php"
    assert run("joomla", file, url=f"{URL}/", site="mytho") == {"block": BLOCK, "head": SCRIPT}
    assert run("joomla", file) == {"block": "", "head": ""}
    assert NASTY not in run("joomla", file, url=NASTY, site=NASTY)["head"]
    manifest = ElementTree.parse(CMS / "joomla/mod_luot/mod_luot.xml").getroot()
    assert [field.get("name") for field in manifest.iter("field")] == ["url", "site"]
    files = [each.text for each in manifest.iter("filename")]
    assert files == [path.name for path in (CMS / "joomla/mod_luot").glob("*.php")]


def test_the_block_of_drupal() -> None:
    file = "drupal/luot/src/Plugin/Block/LuotBlock.php"
    block = run("drupal", file, url=f"{URL}/", site=" mytho ")
    assert list(block["form"]) == ["url", "site"]
    build = block["build"]
    assert (build["#type"], build["#tag"]) == ("html_tag", "visitor-counter")
    ((script, key),) = build["#attached"]["html_head"]
    assert key == "luot"
    # Drupal writes and escapes them; one that is true has no value.
    drawn = "".join(
        f" {name}" if value is True else f' {name}="{value}"'
        for name, value in script["#attributes"].items()
    )
    assert f"<{script['#tag']}{drawn}></script>" == SCRIPT


def test_the_block_of_nukeviet() -> None:
    file = "nukeviet/global.luot.php"
    block = run("nukeviet", file, url=f"{URL}/", site="mytho")
    assert block["content"] == SCRIPT + BLOCK
    assert block["config"] == {"url": URL, "site": "mytho"}
    assert f'value="{URL}"' in block["form"]
    nasty = run("nukeviet", file, url=NASTY, site="a&b")
    assert NASTY not in nasty["content"] + nasty["form"]
    assert 'data-site="a&amp;b"' in nasty["content"]
    told = ElementTree.parse(CMS / "nukeviet/global.luot.ini").getroot()
    text = (CMS / file).read_text("utf-8")
    for name in ("datafunction", "submitfunction"):
        assert f"function {told.findtext(name)}(" in text
    config = told.find("config")
    assert config is not None
    assert [field.tag for field in config] == ["url", "site"]
