"""The scripts that keep and release what one worker owns; KEYS[1] holds its name, ARGV[1].

A full Redis must not prevent the log from being read and trimmed, so they are allowed then.
"""

from services.log.redis.memory_headroom import WRITES_WHEN_FULL

RENEW = f"""{WRITES_WHEN_FULL}
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""
RELEASE = f"""{WRITES_WHEN_FULL}
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
