"""The drivers, a module each: whoever adds one adds a file here, and nothing else."""
