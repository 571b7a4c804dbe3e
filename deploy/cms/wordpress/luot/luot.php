<?php
/**
 * Plugin Name: Luot
 * Description: Đếm lượt truy cập. Mã ngắn: [luot] là khối thống kê, [luotxem] là lượt xem của trang.
 * Version: 1.0.0
 * Requires PHP: 7.2
 * License: Apache-2.0
 */

if (!defined('ABSPATH')) {
    exit;
}

add_action('admin_init', function () {
    $fields = ['luot_url' => 'Luot: địa chỉ (https://thongke.example.vn)', 'luot_site' => 'Luot: tên trang (mytho)'];
    foreach ($fields as $name => $label) {
        register_setting('general', $name, [
            'sanitize_callback' => $name === 'luot_url' ? 'esc_url_raw' : 'sanitize_text_field',
        ]);
        add_settings_field($name, esc_html($label), function () use ($name) {
            printf('<input name="%1$s" class="regular-text" value="%2$s">', esc_attr($name), esc_attr(get_option($name, '')));
        }, 'general');
    }
});

add_action('wp_head', function () {
    $url = get_option('luot_url', '');
    $site = get_option('luot_site', '');
    if ($url === '' || $site === '') {
        return;
    }
    // Those who write the portal see its numbers, and are not its readers.
    printf(
        "<script async src=\"%s/counter.js\" data-site=\"%s\"%s%s></script>\n",
        esc_url(rtrim($url, '/')),
        esc_attr($site),
        is_404() ? ' data-404' : '',
        current_user_can('edit_posts') ? ' data-manual' : ''
    );
});

add_shortcode('luot', function () {
    return '<visitor-counter></visitor-counter>';
});

add_shortcode('luotxem', function () {
    return '<span data-luot-views></span>';
});
