#!lua name=farebox_library

-- The store's side of the allowance protocol. Every key is declared; those of one root share a hash tag.
--
-- Amounts are int64, which a Lua number cannot hold. Where all that a call names and finds is small enough, they are plain
-- numbers all the same; else pairs of numbers in base 1e9, high part first: exact up to 9e24, which is more than any sum of
-- int64 that can come up. None is ever negative.

local RECALL_MS = 5000          -- how long a refusal asks others to return what they do not need
local KEEP_MS = 7 * 86400000    -- how long a window is kept after its end, for late returns

local call, floor, format -- which are not there yet while the library is loaded

local function whole(n) return format('%.0f', n) end

-- SMALL is a quarter of what numbers are exact to: no sum of a step has more than four terms.
local SMALL = 2251799813685248
local too_large = false

local plain = {
  zero = 0,
  parse = function(text)
    if not text or text == '0' then return 0 end
    local n = tonumber(text)
    if n >= SMALL then too_large = true end
    return n
  end,
  text = whole,
  out = function(a) return a end, -- both calls and replies take whole numbers as they are
  sums = function(a, b, c) return format('%.0f %.0f %.0f', a, b, c) end,
  add = function(a, b)
    local sum = a + b
    if sum >= SMALL then too_large = true end
    return sum
  end,
  less = function(a, b) return a < b end,
  sub = function(a, b) if a < b then return 0 end return a - b end,
  share = function(a, parts) return floor(a / parts) end,
}

local BASE = 1000000000
local exact = {zero = {0, 0}}

function exact.parse(text)
  if not text or text == '' then return exact.zero end
  local n = #text
  if n <= 9 then return {0, tonumber(text)} end
  return {tonumber(text:sub(1, n - 9)), tonumber(text:sub(n - 8))}
end

function exact.text(a)
  if a[1] == 0 then return whole(a[2]) end
  return format('%.0f%09.0f', a[1], a[2])
end

exact.out = exact.text

function exact.sums(a, b, c) return exact.text(a) .. ' ' .. exact.text(b) .. ' ' .. exact.text(c) end

function exact.add(a, b)
  local high, low = a[1] + b[1], a[2] + b[2]
  if low >= BASE then high, low = high + 1, low - BASE end
  return {high, low}
end

function exact.less(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

-- The difference, or zero where it would be negative.
function exact.sub(a, b)
  if exact.less(a, b) then return exact.zero end
  local high, low = a[1] - b[1], a[2] - b[2]
  if low < 0 then high, low = high - 1, low + BASE end
  return {high, low}
end

-- A share of an amount, rounded down.
function exact.share(a, parts)
  local high = floor(a[1] / parts)
  local rest = a[1] - high * parts
  return {high, floor((rest * BASE + a[2]) / parts)}
end

-- The arithmetic of the call at hand.
local ZERO, parse, text, out, sums, add, less, sub, share

local function use(numbers)
  ZERO, parse, text, out, sums = numbers.zero, numbers.parse, numbers.text, numbers.out, numbers.sums
  add, less, sub, share = numbers.add, numbers.less, numbers.sub, numbers.share
  call, floor, format = redis.call, math.floor, string.format
  too_large = false
end

local function max(a, b) if less(a, b) then return b end return a end
local function min(a, b) if less(a, b) then return a end return b end

local function now_us()
  local t = call('TIME')
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
local function state(root, now)
  local row = call('HMGET', root, 'epoch', 'learning_until')
  if not row[1] then return nil end
  if row[2] and tonumber(row[2]) > now then return 'learning' end
  return 'ready'
end

-- An account's hash has a field for each window in view: 'used:START', 'end:START', 'clients:START', and 'last' and 'recall'.
-- Where the clients stand is in a hash for each window, 'GRANTED RETURNED OVER' by client.

local function used_in_view(account, view)
  local sum, fields = ZERO, call('HGETALL', account)
  for i = 1, #fields, 2 do
    local start = fields[i]:match('^used:(.+)$')
    if start and not before(start, view) then sum = add(sum, parse(fields[i + 1])) end
  end
  return sum
end

-- KEYS: root, then account and holders of each line. ARGV: client, then of each line key, start, end, view, cap, granted,
-- returned, over, need, want.
local FIELDS = 10

local function read_line(keys, args, i)
  local at = 1 + (i - 1) * FIELDS
  local start = args[at + 2]
  return {
    account = keys[2 * i], holders = keys[2 * i + 1], key = args[at + 1], start = start,
    finish = args[at + 3], view = args[at + 4], used_field = 'used:' .. start, clients_field = 'clients:' .. start,
    cap = parse(args[at + 5]), granted = parse(args[at + 6]), returned = parse(args[at + 7]), over = parse(args[at + 8]),
    need = parse(args[at + 9]), want = parse(args[at + 10]),
    -- Of what the store has; see load.
    known = false, last = false, recall = false, clients = 0, window_used = ZERO, used = ZERO,
    has_granted = ZERO, has_returned = ZERO, has_over = ZERO, changed = false, refused = false, surplus = ZERO, lack = ZERO,
  }
end

-- load reads where a line's account and client stand.
local function load(l, client)
  local row = call('HMGET', l.account, 'end:' .. l.start, 'last', l.used_field, l.clients_field, 'recall')
  l.known, l.last, l.recall = row[1], row[2], row[5]
  l.window_used, l.clients = parse(row[3]), tonumber(row[4] or 0)
  l.used = l.window_used -- and of other windows in view
  if l.view ~= l.start then l.used = used_in_view(l.account, l.view) end
  local stored = call('HGET', l.holders, client)
  if stored then
    local g, r, o = stored:match('^(%d+) (%d+) (%d+)$')
    l.has_granted, l.has_returned, l.has_over = parse(g), parse(r), parse(o)
  end
end

-- admissible says why a line cannot be taken at all; nil where it can.
local function admissible(l, now, learning)
  local current = l.finish == '0' or (us(l.start) <= now and now < us(l.finish))
  if not current or (l.last and before(l.start, l.last)) then
    if less(ZERO, l.need) or not l.known then return fail('WINDOW', whole(now), l.key) end
  end
  if less(l.has_granted, l.granted) and not learning then
    return fail('LOST', text(l.granted), text(l.has_granted), l.key)
  end
  return nil
end

-- change replaces where the client stands, and moves what counts as spent by the difference.
local function change(l, granted, returned, over)
  local old = sub(add(l.has_granted, l.has_over), l.has_returned)
  local new = sub(add(granted, over), returned)
  local held, holds = less(l.has_returned, l.has_granted), less(returned, granted)
  local more, fewer = sub(new, old), sub(old, new) -- one is zero; a correction may have left less than what was held
  l.window_used = sub(add(l.window_used, more), fewer)
  l.used = sub(add(l.used, more), fewer)
  if held ~= holds then l.clients = l.clients + (holds and 1 or -1) end
  l.has_granted, l.has_returned, l.has_over, l.changed = granted, returned, over, true
end

-- take takes over what a client says of itself. Sums only grow, so that an older message changes nothing.
local function take(l)
  if less(l.has_granted, l.granted) or less(l.has_returned, l.returned) or less(l.has_over, l.over) then
    change(l, max(l.has_granted, l.granted), max(l.has_returned, l.returned), max(l.has_over, l.over))
  end
  l.surplus = sub(l.has_granted, l.granted) -- what the client was granted without knowing it
  l.lack = sub(l.need, l.surplus)
end

local function grant(l)
  local want = sub(l.want, l.surplus)
  local amount = l.lack
  if less(amount, want) then
    amount = max(amount, min(want, share(sub(l.cap, l.used), 4 * math.max(l.clients, 1))))
  end
  if less(ZERO, amount) then change(l, add(l.has_granted, amount), l.has_returned, l.has_over) end
end

-- open makes a window, and drops those that leave its view.
local function open(l)
  for _, field in ipairs(call('HKEYS', l.account)) do
    local start = field:match('^end:(.+)$')
    if start and before(start, l.view) then
      call('HDEL', l.account, 'end:' .. start, 'used:' .. start, 'clients:' .. start)
    end
  end
  call('HSET', l.account, 'end:' .. l.start, l.finish)
  if not l.last or before(l.last, l.start) then call('HSET', l.account, 'last', l.start) end
end

local function save(l, client)
  local first = not l.known
  if first then open(l) end
  if first or l.changed then
    call('HSET', l.account, l.used_field, out(l.window_used), l.clients_field, l.clients)
    call('HSET', l.holders, client, sums(l.has_granted, l.has_returned, l.has_over))
  end
  if l.refused then call('HSET', l.account, 'recall', l.recall) end
  if l.finish ~= '0' and first then
    local at = whole(floor(us(l.finish) / 1000) + KEEP_MS)
    call('PEXPIREAT', l.account, at, 'GT')
    call('PEXPIREAT', l.account, at, 'NX')
    call('PEXPIREAT', l.holders, at)
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

-- read reads all lines and where they stand.
local function read(keys, args)
  local lines = {}
  for i = 1, (#keys - 1) / 2 do
    local l = read_line(keys, args, i)
    load(l, args[1])
    lines[i] = l
  end
  return lines
end

redis.register_function('farebox_library_sync', function(keys, args)
  use(plain)
  local client, now = args[1], now_us()
  local phase = state(keys[1], now)
  if not phase then return fail('UNSET', '-') end
  local lines = read(keys, args)
  if too_large then
    use(exact)
    lines = read(keys, args)
  end
  for i = 1, #lines do
    local err = admissible(lines[i], now, phase == 'learning')
    if err then return err end
  end
  if phase == 'learning' and learn(lines, client) then return fail('LEARNING', '-') end
  local refused = 0
  for i = 1, #lines do
    local l = lines[i]
    take(l)
    if refused == 0 and less(ZERO, l.lack) and less(sub(l.cap, l.used), l.lack) then
      refused = i
      l.recall, l.refused = whole(now), true
    end
  end
  local reply = {now, refused}
  for i = 1, #lines do
    local l, at = lines[i], 4 * i - 1
    if refused == 0 then grant(l) end
    save(l, client)
    reply[at], reply[at + 1] = out(l.has_granted), out(l.used)
    reply[at + 2], reply[at + 3] = l.clients, recalled(l.recall, now) and 1 or 0
  end
  return reply
end)

-- KEYS: root, the correction, then the account of each amount. ARGV: how long to remember it in seconds, then of each
-- start, amount, and '+' or '-'.
redis.register_function('farebox_library_correct', function(keys, args)
  use(exact)
  if not state(keys[1], 0) then return fail('UNSET', '-') end
  if not call('SET', keys[2], '1', 'NX', 'EX', args[1]) then return 0 end
  for i = 1, #keys - 2 do
    local account, at = keys[2 + i], 1 + (i - 1) * 3
    local field = 'used:' .. args[at + 1]
    local used = call('HGET', account, field)
    if used then
      local amount = parse(args[at + 2])
      local new = args[at + 3] == '-' and sub(parse(used), amount) or add(parse(used), amount)
      call('HSET', account, field, text(new))
    end
  end
  return 1
end)

-- KEYS: root, then accounts. ARGV: of each start and view.
redis.register_function{function_name = 'farebox_library_balances', flags = {'no-writes'}, callback = function(keys, args)
  use(exact)
  if not state(keys[1], 0) then return fail('UNSET', '-') end
  local reply, now = {}, now_us()
  for i = 1, #keys - 1 do
    local account, start, view = keys[1 + i], args[2 * i - 1], args[2 * i]
    table.insert(reply, text(used_in_view(account, view)))
    table.insert(reply, call('HGET', account, 'clients:' .. start) or '0')
    table.insert(reply, recalled(call('HGET', account, 'recall'), now) and '1' or '0')
  end
  return reply
end}

-- KEYS: root. ARGV: 'setup' or 'recover', a new epoch, seconds of learning.
redis.register_function('farebox_library_begin', function(keys, args)
  use(exact)
  if args[1] == 'setup' then
    return call('HSETNX', keys[1], 'epoch', args[2])
  end
  local ends = whole(now_us() + tonumber(args[3]) * 1000000)
  call('HSET', keys[1], 'epoch', args[2], 'learning_until', ends)
  return 1
end)
