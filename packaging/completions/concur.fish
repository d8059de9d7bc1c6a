# fish completion for concur(1): commands, options, and the names of users and sessions that are active.

# The value that an option has on the command line so far.
function __concur_value
    set -l words (commandline -opc)
    set -l at (contains -i -- $argv[1] $words); and echo $words[(math $at + 1)]
end

# A field of each active session; nothing where the daemon is not there or does not let one see.
function __concur_names
    set -l words list --output ndjson --timeout 500ms
    set -l socket (__concur_value --socket); and set -a words --socket $socket
    set -l user (__concur_value --user); and test $argv[1] != user; and set -a words --user $user
    concur $words 2>/dev/null | head -n 1000 | sed -n 's/.*"'$argv[1]'":"\([^"\\\\]*\)".*/\1/p' | sort -u
end

# True where that is the command, and for limit, plan and fleet its second word.
function __concur_is
    set -l said (string match -r -- '^(?:limit|plan|fleet|block|unblock|explain|start|heartbeat|end|list|purge|run|report|status|batch|watch|top|backup|get|set|unset|check)$' (commandline -opc))
    set -l count (count $argv)
    test (count $said) -ge $count; and test "$said[1..$count]" = "$argv"
end

set -l commands start heartbeat end list purge run report status limit plan block unblock explain fleet batch watch top backup
complete -c concur -f
complete -c concur -l socket -rF -d 'the daemon\'s socket'
complete -c concur -l timeout -x -d 'how long to wait for an answer'
complete -c concur -l help -d 'print the options'
set -l none "not __fish_seen_subcommand_from $commands"
complete -c concur -n $none -l version -d 'print the version'
complete -c concur -n $none -a start -d 'start or renew a session'
complete -c concur -n $none -a heartbeat -d 'renew an active session'
complete -c concur -n $none -a end -d 'end a session'
complete -c concur -n $none -a list -d 'list the active sessions'
complete -c concur -n $none -a purge -d 'end many sessions'
complete -c concur -n $none -a run -d 'run a command as a session'
complete -c concur -n $none -a report -d 'report shared accounts'
complete -c concur -n $none -a status -d 'show the state of the daemon'
complete -c concur -n $none -a limit -d 'the limits of users'
complete -c concur -n $none -a plan -d 'named limits'
complete -c concur -n $none -a block -d 'keep a user out'
complete -c concur -n $none -a unblock -d 'let a user in again'
complete -c concur -n $none -a explain -d 'what would become of a start, and why'
complete -c concur -n $none -a fleet -d 'check or show the fleet'
complete -c concur -n $none -a batch -d 'execute commands from standard input'
complete -c concur -n $none -a watch -d 'print events as they happen'
complete -c concur -n $none -a top -d 'show activity live'
complete -c concur -n $none -a backup -d 'copy the database while the daemon runs'

for verb in start run explain heartbeat end
    complete -c concur -n "__concur_is $verb" -l user -xa '(__concur_names user)' -d 'the account'
    complete -c concur -n "__concur_is $verb" -l session -xa '(__concur_names session)' -d 'the stream'
end
for verb in heartbeat end
    complete -c concur -n "__concur_is $verb" -l start -x -d 'the start that is meant, by its token'
end
for verb in start run explain heartbeat
    complete -c concur -n "__concur_is $verb" -l ttl -x -d 'how long the session counts without a heartbeat'
end
for verb in start run explain
    complete -c concur -n "__concur_is $verb" -l limit -x -d 'the limit for this start'
    complete -c concur -n "__concur_is $verb" -l device -x -d 'the device that plays the stream'
    complete -c concur -n "__concur_is $verb" -l ip -x -d 'the viewer\'s address'
    complete -c concur -n "__concur_is $verb" -l content -x -d 'what is played'
    complete -c concur -n "__concur_is $verb" -l meta -x -d 'key=value, kept with the session'
    complete -c concur -n "__concur_is $verb" -l on-limit -xa 'deny evict-oldest evict-newest' -d 'if the limit is reached'
    complete -c concur -n "__concur_is $verb" -l replace -xa '(__concur_names session)' -d 'the session to replace'
    complete -c concur -n "__concur_is $verb" -l replace-all -d 'replace all others of the user'
    complete -c concur -n "__concur_is $verb" -l wait -x -d 'how long to wait for room'
end
complete -c concur -n '__concur_is run' -l if-unavailable -xa 'allow deny' -d 'if the daemon does not answer'

for verb in list purge block unblock report watch 'limit get' 'limit set' 'limit unset'
    complete -c concur -n "__concur_is $verb" -l user -xa '(__concur_names user)' -d 'the account'
end
complete -c concur -n '__concur_is list' -l output -xa 'json ndjson table' -d 'how to print them'
complete -c concur -n '__concur_is purge' -l idle -x -d 'without a start or heartbeat for this long'
complete -c concur -n '__concur_is purge' -l older-than -x -d 'started so long ago'
complete -c concur -n '__concur_is purge' -l ip -x -d 'from this address'
complete -c concur -n '__concur_is purge' -l device -x -d 'on this device'
complete -c concur -n '__concur_is purge' -l content -x -d 'that play this'
complete -c concur -n '__concur_is purge' -l meta -x -d 'with this key=value in their meta'
complete -c concur -n '__concur_is purge' -l all -d 'all sessions'
complete -c concur -n '__concur_is purge' -l block -x -d 'also block their users, for so long'
for verb in end purge block
    complete -c concur -n "__concur_is $verb" -l message -x -d 'what the viewer is told'
end
complete -c concur -n '__concur_is block' -l for -x -d 'how long'
complete -c concur -n '__concur_is block; and not __fish_seen_subcommand_from list' -a list -d 'who is blocked'
complete -c concur -n '__concur_is block list' -l output -xa 'json ndjson' -d 'how to print them'
complete -c concur -n '__concur_is purge' -l dry-run -d 'only count the sessions'
complete -c concur -n '__concur_is report' -l since -x -d 'how far back'
complete -c concur -n '__concur_is report' -l top -x -d 'how many users'
complete -c concur -n '__concur_is report' -l what-if-limit -x -d 'try a limit out'
complete -c concur -n '__concur_is report' -l output -xa 'json table html csv' -d 'how to print it'
complete -c concur -n '__concur_is report' -F
complete -c concur -n '__concur_is status' -l output -xa 'json table' -d 'how to print it'
complete -c concur -n '__concur_is fleet' -l output -xa 'json table' -d 'how to print it'
complete -c concur -n '__concur_is watch' -l since -x -d 'from this event on'
complete -c concur -n '__concur_is watch' -l renewed -d 'also renewals'
complete -c concur -n '__concur_is watch' -l exec -x -d 'run it for each event'
complete -c concur -n '__concur_is watch' -l events -x -a 'started renewed ended expired evicted denied purged waiting left blocked unblocked limit_changed dropped' -d 'for these, between commas'
complete -c concur -n '__concur_is watch' -l state -rF -d 'what is done, over restarts'
complete -c concur -n '__concur_is watch' -l at-most -x -d 'for one user, such as 1/10m'
complete -c concur -n '__concur_is top' -l interval -x -d 'how often to ask'
complete -c concur -n '__concur_is backup' -F
complete -c concur -n '__concur_is backup' -l local -d 'what a box of a fleet keeps itself'
complete -c concur -n '__concur_is limit; and not __fish_seen_subcommand_from get set unset list' -a 'get set unset list'
complete -c concur -n '__concur_is plan; and not __fish_seen_subcommand_from set unset list' -a 'set unset list'
complete -c concur -n '__concur_is fleet; and not __fish_seen_subcommand_from check status' -a 'check status'
for verb in 'limit set' 'plan set'
    complete -c concur -n "__concur_is $verb" -l max -x -d 'the limit; 0 means unlimited'
    complete -c concur -n "__concur_is $verb" -l rule -x -d 'name=number, of a rule'
    complete -c concur -n "__concur_is $verb" -l on-limit -xa 'deny evict-oldest evict-newest' -d 'if the limit is reached'
end
complete -c concur -n '__concur_is limit set' -l plan -x -d 'the user\'s plan'
complete -c concur -n '__concur_is limit list' -l output -xa 'json ndjson' -d 'how to print them'
complete -c concur -n '__concur_is plan unset' -l force -d 'even if users have it'
