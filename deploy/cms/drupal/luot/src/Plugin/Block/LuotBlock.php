<?php

namespace Drupal\luot\Plugin\Block;

use Drupal\Core\Block\BlockBase;
use Drupal\Core\Form\FormStateInterface;

/**
 * Counts the page, and shows the numbers.
 *
 * @Block(id = "luot", admin_label = @Translation("Luot"))
 */
class LuotBlock extends BlockBase {

  public function defaultConfiguration() {
    return ['url' => '', 'site' => ''];
  }

  public function blockForm($form, FormStateInterface $form_state) {
    $titles = ['url' => 'Địa chỉ Luot (https://thongke.example.vn)', 'site' => 'Tên trang (mytho)'];
    foreach ($titles as $name => $title) {
      $form[$name] = [
        '#type' => $name === 'url' ? 'url' : 'textfield',
        '#title' => $title,
        '#default_value' => $this->configuration[$name],
        '#required' => TRUE,
      ];
    }
    return $form;
  }

  public function blockSubmit($form, FormStateInterface $form_state) {
    $this->configuration['url'] = rtrim((string) $form_state->getValue('url'), '/');
    $this->configuration['site'] = trim((string) $form_state->getValue('site'));
  }

  public function build() {
    $script = [
      '#tag' => 'script',
      '#attributes' => [
        'async' => TRUE,
        'src' => $this->configuration['url'] . '/counter.js',
        'data-site' => $this->configuration['site'],
      ],
    ];
    return [
      '#type' => 'html_tag',
      '#tag' => 'visitor-counter',
      '#attached' => ['html_head' => [[$script, 'luot']]],
    ];
  }

}
