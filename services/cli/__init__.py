"""The command `luot`, a file a command."""
