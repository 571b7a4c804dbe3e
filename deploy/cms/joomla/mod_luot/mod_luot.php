<?php

use Joomla\CMS\Factory;

defined('_JEXEC') or die;

$url = rtrim((string) $params->get('url'), '/');
$site = (string) $params->get('site');
if ($url === '' || $site === '') {
    return;
}
Factory::getApplication()->getDocument()->addCustomTag(sprintf(
    '<script async src="%s/counter.js" data-site="%s"></script>',
    htmlspecialchars($url, ENT_QUOTES, 'UTF-8'),
    htmlspecialchars($site, ENT_QUOTES, 'UTF-8')
));
echo '<visitor-counter></visitor-counter>';
