<?php
// As much of NukeViet as the block calls.
define('NV_MAINFILE', 1);
define('NV_SYSTEM', 1);
function nv_function_exists($name) { return function_exists($name); }
class Request {
    public $values;
    public function get_title($name, $where, $default) { return htmlspecialchars($this->values[$name] ?? $default, ENT_QUOTES); }
}
$block_config = json_decode($argv[2], true);
$nv_Request = new Request();
$nv_Request->values = ['config_url' => $block_config['url'], 'config_site' => $block_config['site']];
// A block is on a page more than once: the file is included each time.
require $argv[1];
$block_config = nv_block_luot_submit('')['config'];
require $argv[1];
echo json_encode(['content' => $content, 'form' => nv_block_luot_config('', $block_config), 'config' => $block_config]);
