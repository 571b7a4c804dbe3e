"""What a process needs to run: GC tuning, file locks, tasks, logging, passwords for people."""
