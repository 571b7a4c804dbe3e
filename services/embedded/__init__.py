"""What `luot up` embeds: its data folder, and the Valkey that runs in it."""
