"""Installs Luot as its install page says, on a machine of its own."""
