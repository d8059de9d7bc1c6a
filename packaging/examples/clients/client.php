#!/usr/bin/env php
<?php
// client.php USER SESSION SECONDS: a session for so many seconds, over the Unix socket, with PHP's extension curl.
//
// Exit status: 0 it played, 1 denied, 3 no answer (apply your own rule), 5 the session was ended by somebody else.

function ask(string $method, string $path, ?array $body = null): array
{
    $curl = curl_init("http://localhost$path");
    curl_setopt_array($curl, [
        CURLOPT_UNIX_SOCKET_PATH => getenv('CONCUR_SOCKET') ?: '/run/concurrencyd/concurrencyd.sock',
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 5,
    ]);
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body));
    }
    $text = curl_exec($curl);
    if ($text === false) {
        return ['status' => 0, 'message' => curl_error($curl)];
    }
    return ['status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE)] + json_decode($text, true);
}

[, $user, $session, $seconds] = $argv;
$path = '/v1/users/' . rawurlencode($user) . '/sessions/' . rawurlencode($session);
$answer = ask('PUT', $path, ['device' => 'example']);
if (!in_array($answer['status'], [200, 201])) {
    fwrite(STDERR, $answer['message'] . "\n");
    exit(in_array($answer['status'], [409, 429]) ? 1 : 3);
}
echo "playing: {$answer['concurrentSessions']} of {$answer['limit']}\n";
$until = microtime(true) + $seconds;
while (($left = $until - microtime(true)) > 0) {
    usleep((int) (min($left, $answer['heartbeatInterval']) * 1e6));
    $beat = ask('POST', "$path/heartbeat", ['start' => $answer['start']]);
    if (in_array($beat['status'], [404, 410])) {
        fwrite(STDERR, $beat['message'] . "\n");
        exit(5);
    }
}
ask('DELETE', "$path?start={$answer['start']}");
