<?php
// As much of Drupal as the block calls.
namespace Drupal\Core\Form {
    interface FormStateInterface { public function getValue($name); }
}
namespace Drupal\Core\Block {
    class BlockBase { public $configuration; public function __construct() { $this->configuration = $this->defaultConfiguration(); } }
}
namespace {
    class FormState implements Drupal\Core\Form\FormStateInterface {
        public function __construct(private $values) {}
        public function getValue($name) { return $this->values[$name]; }
    }
    require $argv[1];
    $block = new Drupal\luot\Plugin\Block\LuotBlock();
    $state = new FormState(json_decode($argv[2], true));
    $form = $block->blockForm([], $state);
    $block->blockSubmit($form, $state);
    echo json_encode(['form' => $form, 'build' => $block->build()]);
}
