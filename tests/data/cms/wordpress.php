<?php
// As much of WordPress as the plugin calls. Prints what the page and the settings get.
define('ABSPATH', '/');
$options = json_decode($argv[2], true);
$actions = $shortcodes = $settings = $fields = [];
function add_action($name, $call) { global $actions; $actions[$name][] = $call; }
function add_shortcode($name, $call) { global $shortcodes; $shortcodes[$name] = $call; }
function get_option($name, $default) { global $options; return $options[$name] ?? $default; }
function register_setting($group, $name, $more) { global $settings; $settings[$name] = $more['sanitize_callback']; }
function add_settings_field($name, $label, $call, $page) { global $fields; $fields[$name] = $call; }
function current_user_can($right) { global $options; return !empty($options['editor']); }
function is_404() { global $options; return !empty($options['missing']); }
function esc_attr($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_html($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_url($text) { return htmlspecialchars($text, ENT_QUOTES); }
require $argv[1];
ob_start();
foreach (['admin_init', 'wp_head'] as $name) { foreach ($actions[$name] as $call) { $call(); } }
$head = ob_get_clean();
ob_start();
foreach ($fields as $call) { $call(); }
echo json_encode([
    'head' => $head,
    'form' => ob_get_clean(),
    'settings' => $settings,
    'block' => $shortcodes['luot'](),
    'views' => $shortcodes['luotxem'](),
]);
