<?php
// Plays requests as PHP programs do and writes what came of them; see test_clients.py. With a Unix socket by the extension
// curl, on one handle; over TCP by that too, or by the streams that file_get_contents() opens.

$given = json_decode(stream_get_contents(STDIN), true);

function header_lines(array $given, array $request): array
{
    $lines = array_map(fn ($name) => "$name: {$given['headers'][$name]}", array_keys($given['headers']));
    return $request['body'] === null ? $lines : [...$lines, "Content-Type: {$request['type']}"];
}

function by_streams(array $given, array $request): array
{
    $options = ['method' => $request['method'], 'header' => header_lines($given, $request), 'ignore_errors' => true,
        'timeout' => 20];
    if ($request['body'] !== null) {
        $options['content'] = $request['body'];
    }
    $text = file_get_contents($given['base'] . $request['path'], false, stream_context_create(['http' => $options]));
    $type = null;
    foreach ($http_response_header as $line) {
        if (stripos($line, 'content-type:') === 0) {
            $type = trim(substr($line, 13));
        }
    }
    return ['status' => (int) explode(' ', $http_response_header[0])[1], 'type' => $type, 'text' => $text];
}

function by_curl(array $given, array $request): array
{
    static $handle = null;
    $handle ??= curl_init();
    curl_reset($handle);
    curl_setopt_array($handle, [CURLOPT_URL => $given['base'] . $request['path'], CURLOPT_RETURNTRANSFER => true,
        CURLOPT_CUSTOMREQUEST => $request['method'], CURLOPT_HTTPHEADER => header_lines($given, $request),
        CURLOPT_NOBODY => $request['method'] === 'HEAD', CURLOPT_TIMEOUT => 20]);
    if ($given['socket'] !== null) {
        curl_setopt($handle, CURLOPT_UNIX_SOCKET_PATH, $given['socket']);
    }
    if ($request['body'] !== null) {
        curl_setopt($handle, CURLOPT_POSTFIELDS, $request['body']);
    }
    $text = curl_exec($handle);
    if ($text === false) {
        exit(curl_error($handle) . "\n");
    }
    return ['status' => curl_getinfo($handle, CURLINFO_RESPONSE_CODE), 'type' => curl_getinfo($handle, CURLINFO_CONTENT_TYPE) ?: null,
        'text' => $text];
}

$ask = $argv[1] === 'curl' ? 'by_curl' : 'by_streams';
echo json_encode(array_map(fn ($request) => $ask($given, $request), $given['requests']), JSON_UNESCAPED_UNICODE), "\n";
