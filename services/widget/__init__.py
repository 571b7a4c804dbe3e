"""All that is embedded in a portal: scripts, block, badge, page, looks, snippet."""
