//! The scripts. Each is atomic in Redis, works on totals, and passes over requests that are older than
//! the newest it has seen of their node.
//!
//! Numbers in Lua are doubles: callers keep every number below 2^52 ([`super::scale`]). Time is
//! Redis's own, so that nodes whose clocks differ agree about leases.

/// Says that a node is there. KEYS: nodes, epoch. ARGV: node, lifetime in milliseconds, the epoch the
/// node knew (0: none), milliseconds of a recovery. Gives: nodes alive, the epoch.
///
/// The epoch is when this Redis was first used: another one than a node knew means that data was lost.
/// Then nothing new is lent until the nodes have said again what they hold.
pub(super) const MEET: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = function(number) return string.format('%.0f', number) end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local epoch = redis.call('HGET', KEYS[2], 'born')
if not epoch then
  epoch = text(now)
  redis.call('HSET', KEYS[2], 'born', epoch)
end
if ARGV[3] ~= '0' and ARGV[3] ~= epoch then
  redis.call('HSET', KEYS[2], 'recovers', text(now + tonumber(ARGV[4])))
end
return {redis.call('ZCARD', KEYS[1]), epoch}
";

/// Lends. KEYS: epoch, then the accounts. ARGV: node, number of the request, then for each account:
/// amount, expiry in seconds since 1970, granted, spent, wanted. Gives for each: granted, spent by all.
pub(super) const WITHDRAW: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local recovers = tonumber(redis.call('HGET', KEYS[1], 'recovers') or '0')
local node, number = ARGV[1], tonumber(ARGV[2])
local text = function(value) return string.format('%.0f', value) end
local answers = {}
for place = 2, #KEYS do
  local at = 3 + (place - 2) * 5
  local amount, expires = tonumber(ARGV[at]), ARGV[at + 1]
  local granted, spent, wanted = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local known = redis.call('HMGET', KEYS[place], 'n:' .. node, 'g:' .. node, 's:' .. node, 'granted', 'spent')
  local newest, had, has_spent = tonumber(known[1] or '0'), tonumber(known[2] or '0'), tonumber(known[3] or '0')
  local all_granted, all_spent = tonumber(known[4] or '0'), tonumber(known[5] or '0')
  if number <= newest then
    answers[#answers + 1] = {text(had), text(all_spent)}
  else
    spent = math.max(spent, has_spent)
    local others = all_granted - had
    local room = math.max(0, amount - others)
    local held = math.max(had, granted, spent)
    local new
    if wanted <= held then
      new = math.max(wanted, spent)
    elseif now < recovers then
      new = held
    else
      new = math.max(held, math.min(wanted, room))
    end
    if new > room then
      new = math.max(spent, room)
    end
    all_spent = all_spent - has_spent + spent
    redis.call('HSET', KEYS[place], 'n:' .. node, ARGV[2], 'g:' .. node, text(new), 's:' .. node, text(spent),
      'granted', text(others + new), 'spent', text(all_spent))
    redis.call('EXPIREAT', KEYS[place], expires)
    answers[#answers + 1] = {text(new), text(all_spent)}
  end
end
return answers
";

/// Leases. KEYS: the limits. ARGV: node, number of the request, lifetime in milliseconds, then for each
/// limit: amount, wanted. Gives for each: held, and what a node may hold while others lack some (-1:
/// none does).
pub(super) const LEASE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, number, lifetime = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local text = function(value) return string.format('%.0f', value) end
local answers = {}
for place = 1, #KEYS do
  local at = 4 + (place - 1) * 2
  local amount, wanted = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local others, nodes, lacks, own = 0, 1, false, nil
  local all = redis.call('HGETALL', KEYS[place])
  for field = 1, #all, 2 do
    local held, wants, ends, newest = string.match(all[field + 1], '^(%d+):(%d+):(%d+):(%d+)$')
    if all[field] == node then
      own = {tonumber(held), tonumber(newest)}
    elseif tonumber(ends) <= now then
      redis.call('HDEL', KEYS[place], all[field])
    else
      others = others + tonumber(held)
      nodes = nodes + 1
      lacks = lacks or tonumber(wants) > tonumber(held)
    end
  end
  local held
  if own and own[2] >= number then
    held = own[1]
  else
    held = math.min(wanted, math.max(0, amount - others))
    if wanted == 0 then
      redis.call('HDEL', KEYS[place], node)
    else
      local entry = text(held) .. ':' .. text(wanted) .. ':' .. text(now + lifetime) .. ':' .. ARGV[2]
      redis.call('HSET', KEYS[place], node, entry)
      redis.call('PEXPIRE', KEYS[place], lifetime)
    end
  end
  local fair = -1
  if lacks or held < wanted then
    fair = math.max(1, math.floor(amount / nodes))
  end
  answers[#answers + 1] = {text(held), fair}
end
return answers
";
