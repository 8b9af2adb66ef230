-- The hot half of a CompositeStore: claims of turns, and tries inside a window. One call is one atomic step.
--
-- KEYS[1] is the epoch of this state, KEYS[2] a session where the step has one (of `clear`: the mark that it was done),
-- then one key for each budget (of `clear`: for whatever goes).
-- ARGV[1] is JSON; times are whole microseconds from the year 2200, which a double has exactly; where one becomes part
-- of a text, or is kept in a hash, it comes as a text.
--
-- A session is a hash: recorded (version of its row in the durable store), claims (a count that each claim raises), at
-- (when the present turn was claimed, or ''), by (the claim's own token), spent (whether it took a spent try over), paid
-- (whether its charges were granted), keys (what it paid), done (the token of the change that freed it). The count
-- begins anywhere: claims of a hash that is made again, after it was lost, make other versions than those before.
-- A budget is a sorted set: one member a try, its time as the score. Nothing is dropped by a client's clock: the server
-- drops a budget that nobody has used for its window and a day.

local a = cjson.decode(ARGV[1])
local epoch = redis.call('HMGET', KEYS[1], 'id', 'lost')
if epoch[1] ~= a.epoch then return {'unknown'} end
local lost = tonumber(epoch[2])

local function session()
    local f = redis.call('HMGET', KEYS[2], 'recorded', 'claims', 'at', 'by', 'paid', 'keys', 'spent', 'done')
    local row = {
        recorded = tonumber(f[1]) or a.recorded, claims = tonumber(f[2]) or 0, at = f[3] or '', by = f[4] or '',
        paid = f[5] or '', keys = f[6] or '[]', spent = f[7] or '', done = f[8] or '', there = f[1] and true
    }
    if row.there and a.recorded and row.recorded < a.recorded then
        -- A step was recorded, and whoever wrote it has not come back here yet, or never will: the record counts.
        row.recorded, row.at = a.recorded, ''
        redis.call('HSET', KEYS[2], 'recorded', row.recorded, 'at', '')
    end
    return row
end

local function keep(key, ttl)
    if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

local function write(row)
    redis.call('HSET', KEYS[2], 'recorded', row.recorded, 'claims', row.claims, 'at', row.at, 'by', row.by,
        'paid', row.paid, 'keys', row.keys, 'spent', row.spent, 'done', row.done)
    keep(KEYS[2], a.ttl)
end

-- How much of a budget is used. What was lost with an earlier state may have been all of it.
local function used(key, budget)
    if budget.since < lost and tonumber(redis.call('GET', key .. '\0refilled') or budget.since) < lost then
        return math.max(budget.limit, redis.call('ZCOUNT', key, budget.after, '+inf'))
    end
    if budget.cleared then
        local mine = 0
        for i = 1, #a.budgets do if redis.call('ZSCORE', key, a.token .. i) then mine = mine + 1 end end
        return mine
    end
    local count = redis.call('ZCOUNT', key, budget.after, '+inf')
    if budget.back then
        local score = redis.call('ZSCORE', key, budget.back)
        if score and tonumber(score) > budget.since then count = count - 1 end
    end
    return count
end

local function add(key, budget, member)
    if redis.call('ZSCORE', key, member) then return true end  -- the same request, sent twice by the client
    if used(key, budget) >= budget.limit then return false end
    redis.call('ZADD', key, a.now, member)
    -- By rank: what counts is among the newest, and a clock that once ran ahead must not take it away.
    local many = redis.call('ZCARD', key) - 4 * budget.limit - 1000
    if many > 0 then redis.call('ZREMRANGEBYRANK', key, 0, many - 1) end
    keep(key, budget.ttl)
    return true
end

local steps = {}

-- What a session and some budgets are like.
function steps.look()
    local found = {'ok', 0, 0, ''}
    local first = 2
    if a.recorded then
        local row = session()
        if row.recorded > a.recorded then return {'stale'} end
        found[2], found[3], found[4] = row.recorded, row.claims, row.at
        first = 3
    end
    for i, budget in ipairs(a.budgets) do found[4 + i] = used(KEYS[first + i - 1], budget) end
    return found
end

-- Claim a turn and take all its charges, or none.
function steps.claim()
    local row = session()
    if row.recorded > a.recorded then return {'stale'} end
    if row.by == a.token then return {'ok', row.claims, row.at, 1, tonumber(row.spent), tonumber(row.paid)} end
    local spent = row.at ~= '' and a.now - tonumber(row.at) >= a.lease
    if row.at ~= '' and not spent then return {'ok', row.claims, row.at, 0, 0, 0} end
    row.claims = row.claims > 0 and row.claims + 1 or a.first
    row.at, row.by, row.keys, row.spent = a.at, a.token, '[]', spent and 1 or 0
    local member = a.member .. string.format('%.0f', row.recorded + row.claims)
    local paid = {}
    -- A spent try was charged when it was first claimed.
    local granted = not spent
    if granted then
        for i, budget in ipairs(a.budgets) do
            if not add(KEYS[2 + i], budget, member) then granted = false break end
            paid[i] = KEYS[2 + i]
        end
        if not granted then for _, key in ipairs(paid) do redis.call('ZREM', key, member) end
        elseif #paid > 0 then row.keys = cjson.encode(paid) end
    end
    row.paid = granted and 1 or 0
    write(row)
    return {'ok', row.claims, row.at, 1, spent and 1 or 0, row.paid}
end

-- Before a change is recorded: is it made from what is there, and which of its charges are granted?
function steps.spend()
    local row = session()
    if row.there and row.recorded + row.claims ~= a.version then return {'moved'} end
    -- Without a hash nothing was ever claimed, or it was lost: the row itself must then have this very version.
    local recorded = row.there and row.recorded or a.version
    local back = {}
    if a.refund then for _, key in ipairs(cjson.decode(row.keys)) do back[key] = a.member end end
    local found, all = {'ok', recorded}, true
    for i, budget in ipairs(a.budgets) do
        budget.back = back[KEYS[2 + i]]
        local granted = add(KEYS[2 + i], budget, a.token .. i)
        found[2 + i] = granted and 1 or 0
        all = all and granted
    end
    if a.all and not all then for i = 1, #a.budgets do redis.call('ZREM', KEYS[2 + i], a.token .. i) end end
    return found
end

-- Take back what a step charged that was then not recorded.
function steps.undo()
    for i, member in ipairs(a.members) do redis.call('ZREM', KEYS[2 + i], member) end
    return {'ok'}
end

-- After a change was recorded: free the turn, give back, clear.
function steps.finish()
    local row = session()
    if row.done == a.token then return {'ok'} end  -- sent twice by the client
    if a.refund then for _, key in ipairs(cjson.decode(row.keys)) do redis.call('ZREM', key, a.member) end end
    for i = 1, #KEYS - 2 do
        local mine = {}
        for j = 1, a.spent do
            local score = redis.call('ZSCORE', KEYS[2 + i], a.token .. j)
            if score then mine[#mine + 1] = {score, a.token .. j} end
        end
        local ttl = redis.call('PTTL', KEYS[2 + i])
        redis.call('DEL', KEYS[2 + i])
        for _, each in ipairs(mine) do redis.call('ZADD', KEYS[2 + i], each[1], each[2]) end
        if #mine > 0 then redis.call('PEXPIRE', KEYS[2 + i], ttl) end
    end
    if not row.there or row.recorded < a.written then
        row.recorded, row.at, row.keys = a.written, '', '[]'
    end
    row.done = a.token
    write(row)
    return {'ok'}
end

-- Refill budgets, once: KEYS[2] remembers that it was done, for a client that sends it again.
function steps.clear()
    if redis.call('SET', KEYS[2], '', 'NX', 'PX', a.ttl) then
        for i = 3, #KEYS do
            redis.call('DEL', KEYS[i])
            -- What is refilled is known, whatever was lost before.
            if a.now then redis.call('SET', KEYS[i] .. '\0refilled', a.now, 'PX', a.known) end
        end
    end
    return {'ok'}
end

return steps[a.step]()
