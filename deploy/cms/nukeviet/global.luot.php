<?php

if (!defined('NV_MAINFILE')) {
    exit('Stop!!!');
}

if (!nv_function_exists('nv_block_luot')) {
    function nv_block_luot_config($module, $data_block, $lang_block = [])
    {
        $html = '';
        foreach (['url' => 'Địa chỉ Luot', 'site' => 'Tên trang'] as $name => $label) {
            $html .= '<div class="form-group"><label class="control-label col-sm-6">' . $label . ':</label>'
                . '<div class="col-sm-18"><input class="form-control" type="text" name="config_' . $name . '" value="'
                . htmlspecialchars($data_block[$name] ?? '', ENT_QUOTES, 'UTF-8') . '"></div></div>';
        }
        return $html;
    }

    function nv_block_luot_submit($module, $lang_block = [])
    {
        global $nv_Request;
        return ['error' => [], 'config' => [
            'url' => rtrim($nv_Request->get_title('config_url', 'post', ''), '/'),
            'site' => $nv_Request->get_title('config_site', 'post', ''),
        ]];
    }

    function nv_block_luot($block_config)
    {
        // get_title() has escaped what was typed; what it escaped once stays as it is.
        $escaped = function ($text) {
            return htmlspecialchars($text, ENT_QUOTES, 'UTF-8', false);
        };
        return '<script async src="' . $escaped($block_config['url']) . '/counter.js" data-site="'
            . $escaped($block_config['site']) . '"></script><visitor-counter></visitor-counter>';
    }
}

if (defined('NV_SYSTEM')) {
    $content = nv_block_luot($block_config);
}
