<?php
// As much of Joomla as the module calls.
namespace Joomla\CMS {
    class Page { public $tags = []; public function addCustomTag($tag) { $this->tags[] = $tag; } }
    class Factory {
        public static $page;
        public static function getApplication() { return new self(); }
        public function getDocument() { return self::$page; }
    }
    Factory::$page = new Page();
}
namespace {
    class Parameters { public function __construct(private $values) {} public function get($name) { return $this->values[$name] ?? null; } }
    define('_JEXEC', 1);
    $run = function ($params) use ($argv) { require $argv[1]; };
    ob_start();
    $run(new Parameters(json_decode($argv[2], true)));
    echo json_encode(['block' => ob_get_clean(), 'head' => implode('', Joomla\CMS\Factory::$page->tags)]);
}
