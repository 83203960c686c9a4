-- The requests of the bench for wrk, see workload.py. BENCH_METHOD, BENCH_ACCOUNTS and BENCH_PORTS are in the environment.
local method, accounts = os.getenv("BENCH_METHOD"), tonumber(os.getenv("BENCH_ACCOUNTS"))
local ports, threads = {}, 0
for port in os.getenv("BENCH_PORTS"):gmatch("%d+") do ports[#ports + 1] = port end

function setup(thread) -- each thread has a port, and a seed so that no two threads draw the same accounts
  threads = threads + 1
  thread.addr = wrk.lookup("127.0.0.1", ports[threads])[1]
  thread:set("seed", threads)
end

function init()
  math.randomseed(seed)
end

local function account_id(number) return string.format("b0000000-0000-4000-8000-%012d", number) end

function request()
  local source = math.random(0, accounts - 1)
  if method == "GET" then return wrk.format("GET", "/balances/" .. account_id(source)) end
  local target = (source + math.random(1, accounts - 1)) % accounts
  local body = string.format('{"account_id_from": "%s", "account_id_to": "%s", "amount": 0.01}',
    account_id(source), account_id(target))
  return wrk.format("POST", "/transactions", nil, body)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests": %d, "microseconds": %d, "failed": %d, "p50_microseconds": %d, "p99_microseconds": %d}',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
