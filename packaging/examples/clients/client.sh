#!/bin/sh
# client.sh USER SESSION SECONDS: a session for so many seconds, over the Unix socket, with curl and jq. `concur run` does all
# of this and more; this is for where concur is not installed.
#
# Exit status: 0 it played, 1 denied, 3 no answer (apply your own rule), 5 the session was ended by somebody else.
set -u
user=$(printf %s "${1:?usage: client.sh USER SESSION SECONDS}" | jq -sRr @uri)
session=$(printf %s "${2:?usage: client.sh USER SESSION SECONDS}" | jq -sRr @uri)
seconds=${3:?usage: client.sh USER SESSION SECONDS}
path=/v1/users/$user/sessions/$session

# ask METHOD PATH [BODY]: the answer in one line, with its status in front
ask() {
  curl -sS --max-time 5 --unix-socket "${CONCUR_SOCKET:-/run/concurrencyd/concurrencyd.sock}" -X "$1" ${3+-d "$3"} \
    -w '%{http_code}' "http://localhost$2" | tr -d '\n' | sed 's/^\(.*\)\(...\)$/\2 \1/'
}

answer=$(ask PUT "$path" '{"device":"example"}')
case $answer in
  20[01]*) ;;
  409* | 429*) printf '%s\n' "${answer#* }" | jq -r .message >&2 && exit 1 ;;
  *) exit 3 ;;
esac
answer=${answer#* }
start=$(printf %s "$answer" | jq -r .start)
interval=$(printf %s "$answer" | jq -r '.heartbeatInterval | ceil')
printf %s "$answer" | jq -r '"playing: \(.concurrentSessions) of \(.limit)"'
until=$(($(date +%s) + seconds))
while left=$((until - $(date +%s))) && [ "$left" -gt 0 ]; do
  sleep "$((left < interval ? left : interval))"
  beat=$(ask POST "$path/heartbeat" "{\"start\":\"$start\"}")
  case $beat in 404* | 410*) printf '%s\n' "${beat#* }" | jq -r .message >&2 && exit 5 ;; esac
done
ask DELETE "$path?start=$start" >/dev/null
