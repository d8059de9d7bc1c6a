-- Asks concurrencyd about a request, with HAProxy's own client (2.6 and later), and sets the variable txn.concur_status to
-- the status of its answer: 204 allowed, 403 denied, 401 nobody is named, 503 or 0 no decision.
local where = "unix@/run/concurrencyd/concurrencyd.sock"
local patience = 1000 -- milliseconds

-- What is asked with: the field, and the variable that the configuration has set for it.
local fields = {
  ["X-Concur-User"] = "txn.concur_user",
  ["X-Concur-Session"] = "txn.concur_session",
  ["X-Concur-IP"] = "txn.concur_ip",
  ["X-Original-URI"] = "txn.concur_uri",
  ["CMCD-Session"] = "txn.concur_cmcd",
  ["X-Playback-Session-Id"] = "txn.concur_playback",
}

core.register_action("concurrencyd", { "http-req" }, function(txn)
  local headers = { ["Host"] = { "localhost" } }
  for field, variable in pairs(fields) do
    local value = txn:get_var(variable)
    if value ~= nil and value ~= "" then headers[field] = { tostring(value) } end
  end
  local answer = core.httpclient():get({
    url = "http://localhost/v1/authorize", dst = where, headers = headers, timeout = patience,
  })
  txn:set_var("txn.concur_status", answer and answer.status or 0)
end)
