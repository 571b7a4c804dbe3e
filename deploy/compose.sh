# Read by the scripts beside it: `compose` is the plugin, or Debian 12's docker-compose.
# shellcheck shell=sh
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
else
    compose() { docker-compose "$@"; }
fi
