// client USER SESSION SECONDS: a session for so many seconds, over the Unix socket, with Go's standard library.
//
// Exit status: 0 it played, 1 denied, 3 no answer (apply your own rule), 5 the session was ended by somebody else.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

type answer struct {
	Status             int     `json:"-"`
	Message            string  `json:"message"`
	Start              string  `json:"start"`
	ConcurrentSessions int     `json:"concurrentSessions"`
	Limit              int     `json:"limit"`
	HeartbeatInterval  float64 `json:"heartbeatInterval"`
}

var client = http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		path := os.Getenv("CONCUR_SOCKET")
		if path == "" {
			path = "/run/concurrencyd/concurrencyd.sock"
		}
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}

func ask(method, path string, body map[string]any) answer {
	text := []byte{}
	if body != nil {
		text, _ = json.Marshal(body)
	}
	request, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(text))
	if err != nil {
		return answer{Message: err.Error()}
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{Message: err.Error()}
	}
	defer response.Body.Close()
	var got answer
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return answer{Message: err.Error()}
	}
	got.Status = response.StatusCode
	return got
}

func fail(message string, status int) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(status)
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	path := "/v1/users/" + url.PathEscape(os.Args[1]) + "/sessions/" + url.PathEscape(os.Args[2])
	started := ask("PUT", path, map[string]any{"device": "example"})
	switch started.Status {
	case 200, 201:
	case 409, 429:
		fail(started.Message, 1)
	default:
		fail(started.Message, 3)
	}
	fmt.Printf("playing: %d of %d\n", started.ConcurrentSessions, started.Limit)
	until := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for left := time.Until(until); left > 0; left = time.Until(until) {
		if interval := time.Duration(started.HeartbeatInterval * float64(time.Second)); interval < left {
			left = interval
		}
		time.Sleep(left)
		beat := ask("POST", path+"/heartbeat", map[string]any{"start": started.Start})
		if beat.Status == 404 || beat.Status == 410 {
			fail(beat.Message, 5)
		}
	}
	ask("DELETE", path+"?start="+started.Start, nil)
}
