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

local function used_in_view(account, view, fields)
  local sum = ZERO
  fields = fields or redis.call('HGETALL', account)
  for i = 1, #fields, 2 do
    local start = fields[i]:match('^used:(.+)$')
    if start and not before(start, view) then sum = add(sum, parse(fields[i + 1])) end
  end
  return sum
end

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

-- load reads where a line's account and client stand.
local function load(l, client)
  local row = redis.call('HMGET', l.account, 'end:' .. l.start, 'last', 'used:' .. l.start, 'clients:' .. l.start, 'recall')
  l.known, l.last, l.recall = row[1], row[2], row[5]
  l.window_used, l.clients = parse(row[3]), tonumber(row[4] or '0')
  l.used = l.window_used -- and of other windows in view
  if l.view ~= l.start then l.used = used_in_view(l.account, l.view) end
  local stored = redis.call('HGET', l.holders, client)
  l.has = {granted = ZERO, returned = ZERO, over = ZERO}
  if stored then
    local g, r, o = stored:match('^(%d+) (%d+) (%d+)$')
    l.has = {granted = parse(g), returned = parse(r), over = parse(o)}
  end
  l.first = not l.known
end

-- admissible says why a line cannot be taken at all; nil where it can.
local function admissible(l, now, learning)
  local current = l.finish == '0' or (us(l.start) <= now and now < us(l.finish))
  if not current or (l.last and before(l.start, l.last)) then
    if less(ZERO, l.need) or not l.known then return fail('WINDOW', string.format('%.0f', now), l.key) end
  end
  if less(l.has.granted, l.granted) and not learning then
    return fail('LOST', text(l.granted), text(l.has.granted), l.key)
  end
  return nil
end

local function held(h) return sub(add(h.granted, h.over), h.returned) end

local function holds(h) return less(h.returned, h.granted) end

-- change replaces where the client stands, and moves what counts as spent by the difference.
local function change(l, new)
  local old = l.has
  local was, is = held(old), held(new)
  local more, fewer = sub(is, was), sub(was, is) -- one is zero; a correction may have left less than what was held
  l.window_used = sub(add(l.window_used, more), fewer)
  l.used = sub(add(l.used, more), fewer)
  if holds(old) ~= holds(new) then l.clients = l.clients + (holds(new) and 1 or -1) end
  l.has = new
end

-- take takes over what a client says of itself. Sums only grow, so that an older message changes nothing.
local function take(l)
  change(l, {
    granted = max(l.has.granted, l.granted), returned = max(l.has.returned, l.returned), over = max(l.has.over, l.over),
  })
  l.surplus = sub(l.has.granted, l.granted) -- what the client was granted without knowing it
  l.lack = sub(l.need, l.surplus)
end

local function grant(l)
  local left = sub(l.cap, l.used)
  local amount = max(l.lack, min(sub(l.want, l.surplus), share(left, 4 * math.max(l.clients, 1))))
  change(l, {granted = add(l.has.granted, amount), returned = l.has.returned, over = l.has.over})
end

-- open makes a window, and drops those that leave its view.
local function open(l)
  for _, field in ipairs(redis.call('HKEYS', l.account)) do
    local start = field:match('^end:(.+)$')
    if start and before(start, l.view) then
      redis.call('HDEL', l.account, 'end:' .. start, 'used:' .. start, 'clients:' .. start)
    end
  end
  redis.call('HSET', l.account, 'end:' .. l.start, l.finish)
  if not l.last or before(l.last, l.start) then redis.call('HSET', l.account, 'last', l.start) end
end

local function save(l, client)
  if l.first then open(l) end
  redis.call('HSET', l.account, 'used:' .. l.start, text(l.window_used), 'clients:' .. l.start, tostring(l.clients))
  redis.call('HSET', l.holders, client, text(l.has.granted) .. ' ' .. text(l.has.returned) .. ' ' .. text(l.has.over))
  if l.refused then redis.call('HSET', l.account, 'recall', l.recall) end
  if l.finish ~= '0' and l.first then
    local at = string.format('%.0f', math.floor(us(l.finish) / 1000) + KEEP_MS)
    redis.call('PEXPIREAT', l.account, at, 'GT')
    redis.call('PEXPIREAT', l.account, at, 'NX')
    redis.call('PEXPIREAT', l.holders, at)
  end
end

local function recalled(at, now)
  return at and now - tonumber(at) < RECALL_MS * 1000
end

-- learn takes over what a client says, grants it nothing, and says whether it has asked for anything.
local function learn(lines, client)
  local asks = false
  for _, l in ipairs(lines) do
    asks = asks or less(ZERO, l.need)
    l.need, l.want = ZERO, ZERO
    take(l)
    save(l, client)
  end
  return asks
end

redis.register_function('farebox_library_sync', function(keys, args)
  local phase = state(keys[1])
  if not phase then return fail('UNSET', '-') end
  local client, now, lines = args[1], now_us(), read_lines(keys, args)
  for _, l in ipairs(lines) do
    load(l, client)
    local err = admissible(l, now, phase == 'learning')
    if err then return err end
  end
  if phase == 'learning' and learn(lines, client) then return fail('LEARNING', '-') end
  local refused = 0
  for i, l in ipairs(lines) do
    take(l)
    if refused == 0 and less(ZERO, l.lack) and less(sub(l.cap, l.used), l.lack) then
      refused = i
      l.recall, l.refused = string.format('%.0f', now), true
    end
  end
  local reply = {string.format('%.0f', now), tostring(refused)}
  for _, l in ipairs(lines) do
    if refused == 0 then grant(l) end
    save(l, client)
    table.insert(reply, text(l.has.granted))
    table.insert(reply, text(l.used))
    table.insert(reply, tostring(l.clients))
    table.insert(reply, recalled(l.recall, now) and '1' or '0')
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
    table.insert(reply, recalled(redis.call('HGET', account, 'recall'), now) and '1' or '0')
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
