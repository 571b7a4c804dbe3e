"""The command `luot`, one file per command."""
