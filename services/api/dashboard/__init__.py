"""The dashboard under /admin: server-rendered pages that can be read without JavaScript."""
