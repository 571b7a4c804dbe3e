"""Everything that a portal embeds: scripts, block, badge, page, looks, snippet."""
