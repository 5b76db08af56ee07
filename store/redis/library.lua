#!lua name=farebox_library

-- The store's side of the allowance protocol. Every key is declared; those of one root share a hash tag.
--
-- Amounts are int64, which a Lua number cannot hold. Here they are pairs of numbers in base 1e9, high part first: exact up
-- to 9e24, which is more than any sum of int64 that can come up. None is ever negative.

local BASE = 1000000000
local RECALL_MS = 5000          -- how long a refusal asks others to return what they do not need
local KEEP_MS = 7 * 86400000    -- how long a window is kept after its end, for late returns

local ZERO = {0, 0}

local function parse(text)
  if not text or text == '' then return ZERO end
  local n = #text
  if n <= 9 then return {0, tonumber(text)} end
  return {tonumber(text:sub(1, n - 9)), tonumber(text:sub(n - 8))}
end

local function text(a)
  if a[1] == 0 then return string.format('%.0f', a[2]) end
  return string.format('%.0f%09.0f', a[1], a[2])
end

local function add(a, b)
  local high, low = a[1] + b[1], a[2] + b[2]
  if low >= BASE then high, low = high + 1, low - BASE end
  return {high, low}
end

local function less(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

-- The difference, or zero where it would be negative.
local function sub(a, b)
  if less(a, b) then return ZERO end
  local high, low = a[1] - b[1], a[2] - b[2]
  if low < 0 then high, low = high - 1, low + BASE end
  return {high, low}
end

local function max(a, b) if less(a, b) then return b end return a end
local function min(a, b) if less(a, b) then return a end return b end

-- A share of an amount, rounded down.
local function share(a, parts)
  local high = math.floor(a[1] / parts)
  local rest = a[1] - high * parts
  return {high, math.floor((rest * BASE + a[2]) / parts)}
end

local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- Instants come as nanoseconds since 1970 in decimal; microseconds of them fit a number.
local function us(instant)
  if instant == '0' then return 0 end
  local negative = instant:sub(1, 1) == '-'
  if negative then instant = instant:sub(2) end
  if #instant <= 3 then return 0 end
  local n = tonumber(instant:sub(1, #instant - 3))
  if negative then return -n end
  return n
end

-- Order of two instants in decimal, without loss.
local function before(a, b)
  local na, nb = a:sub(1, 1) == '-', b:sub(1, 1) == '-'
  if na ~= nb then return na end
  if na then a, b = b:sub(2), a:sub(2) end
  if #a ~= #b then return #a < #b end
  return a < b
end

local function fail(kind, ...)
  return redis.error_reply('FAREBOX_' .. table.concat({kind, ...}, ' '))
end

-- state says whether the store may answer: 'ready', 'learning' after a loss, or nil where it was never set up.
local function state(root)
  local epoch = redis.call('HGET', root, 'epoch')
  if not epoch then return nil end
  local learning = redis.call('HGET', root, 'learning_until')
  if learning and tonumber(learning) > now_us() then return 'learning' end
  return 'ready'
end

-- An account's hash has a field for each window in view: 'used:START', 'end:START', 'clients:START', and 'last' and 'recall'.
-- Where the clients stand is in a hash for each window, 'GRANTED RETURNED OVER' by client.

local function used_in_view(account, view)
  local sum = ZERO
  local fields = redis.call('HGETALL', account)
  for i = 1, #fields, 2 do
    local start = fields[i]:match('^used:(.+)$')
    if start and not before(start, view) then sum = add(sum, parse(fields[i + 1])) end
  end
  return sum
end

local function standing(holders, client)
  local row = redis.call('HGET', holders, client)
  if not row then return {granted = ZERO, returned = ZERO, over = ZERO} end
  local g, r, o = row:match('^(%d+) (%d+) (%d+)$')
  return {granted = parse(g), returned = parse(r), over = parse(o)}
end

local function held(s) return sub(add(s.granted, s.over), s.returned) end

local function holds(s) return less(s.returned, s.granted) end

-- put stores where a client stands, and moves what the account counts by the difference.
local function put(l, client, old, new)
  local field = 'used:' .. l.start
  local used = parse(redis.call('HGET', l.account, field))
  used = add(sub(used, held(old)), held(new))
  redis.call('HSET', l.account, field, text(used))
  redis.call('HSET', l.holders, client, text(new.granted) .. ' ' .. text(new.returned) .. ' ' .. text(new.over))
  if holds(old) ~= holds(new) then
    redis.call('HINCRBY', l.account, 'clients:' .. l.start, holds(new) and 1 or -1)
  end
end

-- open makes a window, and drops those that have left its view.
local function open(l)
  if redis.call('HEXISTS', l.account, 'end:' .. l.start) == 1 then return end
  local fields = redis.call('HKEYS', l.account)
  for _, field in ipairs(fields) do
    local start = field:match('^end:(.+)$')
    if start and before(start, l.view) then
      redis.call('HDEL', l.account, 'end:' .. start, 'used:' .. start, 'clients:' .. start)
    end
  end
  redis.call('HSET', l.account, 'end:' .. l.start, l.finish, 'used:' .. l.start, '0', 'clients:' .. l.start, '0')
  local last = redis.call('HGET', l.account, 'last')
  if not last or before(last, l.start) then redis.call('HSET', l.account, 'last', l.start) end
end

local function expire(l)
  if l.finish == '0' then return end
  local at = string.format('%.0f', math.floor(us(l.finish) / 1000) + KEEP_MS)
  redis.call('PEXPIREAT', l.account, at, 'GT')
  redis.call('PEXPIREAT', l.account, at, 'NX')
  redis.call('PEXPIREAT', l.holders, at)
end

local function clients(l) return tonumber(redis.call('HGET', l.account, 'clients:' .. l.start) or '0') end

-- KEYS: root, then account and holders of each line. ARGV: client, then of each line key, start, end, view, cap, granted,
-- returned, over, need, want.
local FIELDS = 10

local function read_lines(keys, args)
  local lines = {}
  for i = 1, (#keys - 1) / 2 do
    local at = 1 + (i - 1) * FIELDS
    lines[i] = {
      account = keys[2 * i], holders = keys[2 * i + 1], key = args[at + 1],
      start = args[at + 2], finish = args[at + 3], view = args[at + 4], cap = parse(args[at + 5]),
      granted = parse(args[at + 6]), returned = parse(args[at + 7]), over = parse(args[at + 8]),
      need = parse(args[at + 9]), want = parse(args[at + 10]),
    }
  end
  return lines
end

-- admissible says why a line cannot be taken at all; nil where it can.
local function admissible(l, client, now, learning)
  local known = redis.call('HEXISTS', l.account, 'end:' .. l.start) == 1
  local last = redis.call('HGET', l.account, 'last')
  local current = l.finish == '0' or (us(l.start) <= now and now < us(l.finish))
  if not current or (last and before(l.start, last)) then
    if less(ZERO, l.need) or not known then return fail('WINDOW', string.format('%.0f', now), l.key) end
  end
  local stored = standing(l.holders, client)
  if less(stored.granted, l.granted) and not learning then
    return fail('LOST', text(l.granted), text(stored.granted), l.key)
  end
  if learning and less(ZERO, l.need) then return fail('LEARNING', '-') end
  return nil
end

-- take takes over what a client says of itself. Sums only grow, so that an older message changes nothing.
local function take(l, client)
  open(l)
  local old = standing(l.holders, client)
  local new = {
    granted = max(old.granted, l.granted), returned = max(old.returned, l.returned), over = max(old.over, l.over),
  }
  put(l, client, old, new)
  l.surplus = sub(new.granted, l.granted) -- what the client was granted without knowing it
  l.lack = sub(l.need, l.surplus)
end

local function grant(l, client)
  local left = sub(l.cap, used_in_view(l.account, l.view))
  local want = sub(l.want, l.surplus)
  local amount = max(l.lack, min(want, share(left, 4 * math.max(clients(l), 1))))
  if not less(ZERO, amount) then return end
  local old = standing(l.holders, client)
  put(l, client, old, {granted = add(old.granted, amount), returned = old.returned, over = old.over})
end

local function recalled(account, now)
  local at = redis.call('HGET', account, 'recall')
  return at and now - tonumber(at) < RECALL_MS * 1000
end

redis.register_function('farebox_library_sync', function(keys, args)
  local phase = state(keys[1])
  if not phase then return fail('UNSET', '-') end
  local client, now, lines = args[1], now_us(), read_lines(keys, args)
  for _, l in ipairs(lines) do
    local err = admissible(l, client, now, phase == 'learning')
    if err then return err end
  end
  local refused = 0
  for i, l in ipairs(lines) do
    take(l, client)
    if refused == 0 and less(ZERO, l.lack) and less(sub(l.cap, used_in_view(l.account, l.view)), l.lack) then
      refused = i
      redis.call('HSET', l.account, 'recall', string.format('%.0f', now))
    end
  end
  local reply = {string.format('%.0f', now), tostring(refused)}
  for _, l in ipairs(lines) do
    if refused == 0 then grant(l, client) end
    expire(l)
    table.insert(reply, text(standing(l.holders, client).granted))
    table.insert(reply, text(used_in_view(l.account, l.view)))
    table.insert(reply, tostring(clients(l)))
    table.insert(reply, recalled(l.account, now) and '1' or '0')
  end
  return reply
end)

-- KEYS: root, the correction, then the account of each amount. ARGV: how long to remember it in seconds, then of each
-- start, amount, and '+' or '-'.
redis.register_function('farebox_library_correct', function(keys, args)
  if not state(keys[1]) then return fail('UNSET', '-') end
  if not redis.call('SET', keys[2], '1', 'NX', 'EX', args[1]) then return 0 end
  for i = 1, #keys - 2 do
    local account, at = keys[2 + i], 1 + (i - 1) * 3
    local field = 'used:' .. args[at + 1]
    local used = redis.call('HGET', account, field)
    if used then
      local amount = parse(args[at + 2])
      local new = args[at + 3] == '-' and sub(parse(used), amount) or add(parse(used), amount)
      redis.call('HSET', account, field, text(new))
    end
  end
  return 1
end)

-- KEYS: root, then accounts. ARGV: of each start and view.
redis.register_function{function_name = 'farebox_library_balances', flags = {'no-writes'}, callback = function(keys, args)
  if not state(keys[1]) then return fail('UNSET', '-') end
  local reply, now = {}, now_us()
  for i = 1, #keys - 1 do
    local account, start, view = keys[1 + i], args[2 * i - 1], args[2 * i]
    table.insert(reply, text(used_in_view(account, view)))
    table.insert(reply, redis.call('HGET', account, 'clients:' .. start) or '0')
    table.insert(reply, recalled(account, now) and '1' or '0')
  end
  return reply
end}

-- KEYS: root. ARGV: 'setup' or 'recover', a new epoch, seconds of learning.
redis.register_function('farebox_library_begin', function(keys, args)
  if args[1] == 'setup' then
    return redis.call('HSETNX', keys[1], 'epoch', args[2])
  end
  local ends = string.format('%.0f', now_us() + tonumber(args[3]) * 1000000)
  redis.call('HSET', keys[1], 'epoch', args[2], 'learning_until', ends)
  return 1
end)
