"""The pages on which a site is managed: its settings, and all that people enter or take back."""
