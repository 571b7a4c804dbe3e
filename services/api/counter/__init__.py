"""The public numbers: the counter, its pages, most read pages, badge and frame."""
