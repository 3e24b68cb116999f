package kafka_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// line is what lies between a stand-in for a broker and its clients. It breaks when it is
// told to: a connection is cut where a request goes over it, or the answer to one.
type line struct {
	mu     sync.Mutex
	key    kmsg.Key
	times  int // to break from now on; -1: each time
	answer bool
	broken int
}

// breaks has the line break at some requests, before the broker hears of them or behind
// that. It ends with end, which tells how often it was.
func (l *line) breaks(key kmsg.Key, times int, answer bool) (end func() int) {
	l.set(key, times, answer)
	return func() int { return l.set(0, 0, false) }
}

func (l *line) set(key kmsg.Key, times int, answer bool) (broken int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	broken = l.broken
	l.key, l.times, l.answer, l.broken = key, times, answer, 0
	return broken
}

// meets tells what becomes of a request.
func (l *line) meets(key kmsg.Key) (lost, answerLost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == 0 || key != l.key {
		return false, false
	}
	l.times, l.broken = max(l.times-1, -1), l.broken+1
	return !l.answer, l.answer
}

// listen is for kfake.ListenFn.
func (l *line) listen(network, address string) (net.Listener, error) {
	at, err := net.Listen(network, address)
	return &lineListener{at, l}, err
}

type lineListener struct {
	net.Listener
	line *line
}

func (l *lineListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &lineConn{Conn: c, line: l.line, lost: map[uint32]bool{}}, err
}

// lineConn is the broker's end of a connection. It is read and written by a goroutine
// each; an answer is written at once.
type lineConn struct {
	net.Conn
	line *line
	rest []byte // of the request that is being read

	mu   sync.Mutex
	lost map[uint32]bool // answers, by the number of the request
}

// A request begins with its length, kind, version and number, an answer with length and
// number.
const (
	lengthBytes = 4
	numberAt    = lengthBytes + 4 // in a request
)

func (c *lineConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if err := c.readRequest(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *lineConn) readRequest() error {
	head := make([]byte, lengthBytes)
	if _, err := io.ReadFull(c.Conn, head); err != nil {
		return err
	}
	request := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	if _, err := io.ReadFull(c.Conn, request[lengthBytes:]); err != nil {
		return err
	}
	lost, answerLost := c.line.meets(kmsg.Key(binary.BigEndian.Uint16(request[lengthBytes:])))
	if lost {
		return c.cut()
	}
	if answerLost {
		c.mu.Lock()
		c.lost[binary.BigEndian.Uint32(request[numberAt:])] = true
		c.mu.Unlock()
	}
	c.rest = request
	return nil
}

func (c *lineConn) Write(answer []byte) (int, error) {
	c.mu.Lock()
	lost := c.lost[binary.BigEndian.Uint32(answer[lengthBytes:])]
	c.mu.Unlock()
	if lost {
		return 0, c.cut()
	}
	return c.Conn.Write(answer)
}

func (c *lineConn) cut() error {
	c.Conn.Close()
	return net.ErrClosed
}
