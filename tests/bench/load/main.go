// Load sends requests that were encoded before, so that its own work takes little of the processors that it shares with
// the daemon.
//
// It answers one JSON line for each JSON line of standard input:
//
//	{"do": "prepare", "file": …}       reads the requests of a file; {}
//	{"do": "call", "callers": n}       each caller sends the next request after the response to its last one;
//	                                   {"seconds": …}
//	{"do": "beat", "per_second": r}    sends at fixed times, whatever is open; {"milliseconds": […]}
//	{"do": "responses", "file": …}     writes the responses of the last run; {}
//
// A file holds messages, each after its length in 4 bytes, little-endian.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

const (
	method   = "/intercomd.v1.IngestService/Publish"
	channels = 4
	// rest is the time before the first beat.
	rest = 100 * time.Millisecond
)

type question struct {
	Do        string  `json:"do"`
	File      string  `json:"file"`
	Callers   int     `json:"callers"`
	PerSecond float64 `json:"per_second"`
}

type answer struct {
	Seconds      float64   `json:"seconds,omitempty"`
	Milliseconds []float64 `json:"milliseconds,omitempty"`
}

// encoded passes messages on as the bytes that they are.
type encoded struct{}

func (encoded) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (encoded) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

// Name is the content subtype of the calls.
func (encoded) Name() string { return "proto" }

type load struct {
	channels  []*grpc.ClientConn
	requests  [][]byte
	responses [][]byte
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: load TARGET")
	}
	client, err := dial(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	questions := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		var asked question
		if err := questions.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		found, err := client.answer(asked)
		if err == nil {
			err = answers.Encode(found)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

func dial(target string) (*load, error) {
	client := &load{}
	for range channels {
		channel, err := grpc.NewClient(target,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(encoded{})))
		if err != nil {
			return nil, err
		}
		client.channels = append(client.channels, channel)
	}
	return client, nil
}

func (l *load) answer(asked question) (answer, error) {
	switch asked.Do {
	case "prepare":
		requests, err := read(asked.File)
		l.requests = requests
		return answer{}, err
	case "call":
		seconds, err := l.call(asked.Callers)
		return answer{Seconds: seconds}, err
	case "beat":
		milliseconds, err := l.beat(asked.PerSecond)
		return answer{Milliseconds: milliseconds}, err
	case "responses":
		return answer{}, write(asked.File, l.responses)
	default:
		return answer{}, fmt.Errorf("unknown question %q", asked.Do)
	}
}

// send sends request n over the channel of a caller.
func (l *load) send(n, caller int) error {
	channel := l.channels[caller%channels]
	return channel.Invoke(context.Background(), method, &l.requests[n], &l.responses[n])
}

func (l *load) call(callers int) (float64, error) {
	l.responses = make([][]byte, len(l.requests))
	var next atomic.Int64
	begin := time.Now()
	err := each(callers, func(caller int) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= len(l.requests) {
				return nil
			}
			if err := l.send(n, caller); err != nil {
				return err
			}
		}
	})
	return time.Since(begin).Seconds(), err
}

func (l *load) beat(perSecond float64) ([]float64, error) {
	l.responses = make([][]byte, len(l.requests))
	milliseconds := make([]float64, len(l.requests))
	begin := time.Now().Add(rest)
	err := each(len(l.requests), func(n int) error {
		time.Sleep(time.Until(begin.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))))
		sent := time.Now()
		err := l.send(n, n)
		milliseconds[n] = time.Since(sent).Seconds() * 1000
		return err
	})
	return milliseconds, err
}

// each runs the function for 0 to count-1 at once, and returns the errors.
func each(count int, run func(n int) error) error {
	errs := make([]error, count)
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() { errs[n] = run(n) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func read(name string) ([][]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	var messages [][]byte
	for {
		var size uint32
		if err := binary.Read(reader, binary.LittleEndian, &size); errors.Is(err, io.EOF) {
			return messages, nil
		} else if err != nil {
			return nil, err
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(reader, message); err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
}

func write(name string, messages [][]byte) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	writer := bufio.NewWriter(file)
	for _, message := range messages {
		// A bufio.Writer keeps its first error for Flush.
		binary.Write(writer, binary.LittleEndian, uint32(len(message)))
		writer.Write(message)
	}
	return errors.Join(writer.Flush(), file.Close())
}
