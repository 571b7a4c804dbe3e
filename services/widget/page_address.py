"""How each CMS puts the address of a page into the image that counts it."""

from services.model.display import Preset

_PHP = "<?php echo rawurlencode($_SERVER['REQUEST_URI']); ?>"

PAGE_ADDRESS = {
    Preset.LIFERAY: "${themeDisplay.getURLCurrent()?url('UTF-8')}",
    Preset.DNN: "<%= Uri.EscapeDataString(Request.RawUrl) %>",
    Preset.NUKEVIET: "{PAGE_ADDRESS}",
    Preset.JOOMLA: _PHP,
    Preset.DRUPAL: "{{ path('<current>')|url_encode }}",
    Preset.WORDPRESS: _PHP,
}
"""The page's path in each CMS's template language, encoded as a parameter value."""

_SET_BY = {
    Preset.NUKEVIET: "$xtpl->assign('PAGE_ADDRESS', rawurlencode($client_info['selfurl']));",
}


def explained(preset: Preset) -> str:
    """Return what the snippet says about the address of the page."""
    if code := _SET_BY.get(preset):
        return (
            "u= takes the address of the page as templates write it, set in nv_site_theme() of"
            f" the theme's theme.php by {code}: Firefox and Safari do not send it by themselves"
        )
    if preset in PAGE_ADDRESS:
        return (
            "u= takes the address of the page as templates write it: Firefox and Safari do not"
            " send it by themselves"
        )
    return (
        "If the portal can write the address of the page, add &amp;u= and that address,"
        " percent-encoded: Firefox and Safari do not send it by themselves, and count as"
        " (unknown)"
    )
