package kafkatest

import (
	"errors"
	"math/rand/v2"
	"net"
)

// Ports are taken from below those that systems give to outgoing connections. Among
// these a client that looks for a broker which is down would at times find itself, and a
// broker that comes back its port taken.
const (
	firstPort = 16 << 10
	lastPort  = 32 << 10
)

// freePorts gives three that nobody listens at right now.
func freePorts() (p ports, err error) {
	for _, place := range []*int{&p.plain, &p.controller, &p.secure} {
		l, port, err := listen()
		if err != nil {
			return ports{}, err
		}
		defer l.Close() // when all three are known, so that they differ
		*place = port
	}
	return p, nil
}

func listen() (l net.Listener, port int, err error) {
	err = errors.New("no port")
	for range 100 {
		port = firstPort + rand.IntN(lastPort-firstPort)
		if l, err = net.Listen("tcp", address(port)); err == nil {
			return l, port, nil
		}
	}
	return nil, 0, err
}
