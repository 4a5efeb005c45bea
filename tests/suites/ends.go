// Two ends in Go: net/http with keep-alive, and a stream that is echoed.
//
// ends server|client PORT
package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sync"
)

const clients, requests = 6, 400

func content(length int, seed int64) []byte {
	content := make([]byte, length)
	rand.New(rand.NewSource(seed)).Read(content)
	return content
}

// Whatever is posted comes back.
func server(port string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			w.Write(body)
		}
	})
	fmt.Println(http.ListenAndServe("127.0.0.1:"+port, nil))
}

func client(port string, number int) string {
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext}
	client := &http.Client{Transport: transport}
	right := 0
	for round := 0; round < requests; round++ {
		length := 1 + round*37
		if round%50 == 49 {
			length = 400000
		}
		sent := content(length, int64(round*clients+number))
		answer, err := client.Post("http://127.0.0.1:"+port+"/", "application/octet-stream", bytes.NewReader(sent))
		if err != nil {
			return err.Error()
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && bytes.Equal(sent, got) {
			right++
		}
	}
	return fmt.Sprintf("client %d: %d of %d answers are right", number, right, requests)
}

func main() {
	port := os.Args[2]
	if os.Args[1] == "server" {
		server(port)
	}
	var ends [clients]string
	var all sync.WaitGroup
	for number := range ends {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			ends[number] = client(port, number)
		}(number)
	}
	all.Wait()
	for _, end := range ends {
		fmt.Println(end)
	}
}
