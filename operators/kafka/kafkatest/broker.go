package kafkatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Broker is a broker that runs, or was killed. Its owner calls Stop at the end.
type Broker struct {
	options   Options
	folder    string
	temporary bool // folder is ours to remove
	jvm       jvm
	at        ports
	authority *authority // nil without Options.Secure
	process   *process   // nil before the first start and after Kill and Stop
}

// patience is how long a start may take on a machine that is busy.
const patience = 2 * time.Minute

// Start runs a broker and returns when it answers; ctx bounds only that. What fails is
// told with the last lines of the broker's log; its folder, with all of the log, is kept then.
func Start(ctx context.Context, o Options) (*Broker, error) {
	b, err := prepare(ctx, o)
	if err == nil {
		err = b.startSomewhere(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("kafkatest.Start, Kafka %s: %w", o.Version, err)
	}
	return b, nil
}

// prepare makes all that a broker needs besides ports.
func prepare(ctx context.Context, o Options) (*Broker, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	b := &Broker{options: o, temporary: o.Dir == ""}
	var err error
	if b.jvm.java, err = java(ctx, o.Version); err != nil {
		return nil, err
	}
	if b.jvm.jars, err = Fetch(ctx, o.Home, o.Version); err != nil {
		return nil, err
	}
	if b.folder, err = makeFolder(o.Dir); err != nil {
		return nil, err
	}
	b.jvm.logging, b.jvm.options = filepath.Join(b.folder, fileLogging), o.Java
	if o.Secure == nil {
		return b, nil
	}
	if b.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	return b, b.authority.write(b.folder)
}

func makeFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "kafkatest-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// startSomewhere starts the broker at free ports, and at others where somebody was quicker.
func (b *Broker) startSomewhere(ctx context.Context) (err error) {
	for range 3 {
		if b.at, err = freePorts(); err != nil {
			return err
		}
		if err = b.options.configure(b.at, b.folder); err != nil {
			return err
		}
		if err = b.format(ctx); err != nil {
			return err
		}
		if err = b.run(ctx); !errors.Is(err, errBind) {
			return err
		}
	}
	return err
}

// format makes the data, unless it is there.
func (b *Broker) format(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(b.folder, fileFormatted)); err == nil {
		return nil
	}
	var id [16]byte
	rand.Read(id[:])
	id[0] &= 0x7f // for the id must not begin with '-'
	args := []string{"format", "-t", base64.RawURLEncoding.EncodeToString(id[:]), "-c", filepath.Join(b.folder, fileProperties)}
	if v := b.options.TransactionVersion; v > 0 {
		args = append(args, "--feature", "transaction.version="+strconv.Itoa(v))
	}
	out, err := output(ctx, b.jvm.command("kafka.tools.StorageTool", append(args, b.options.Secure.credentials()...)...))
	if err != nil {
		return fmt.Errorf("format %s: %w:\n%s", b.folder, err, lastLines(out))
	}
	return nil
}

// errBind is that a port was taken.
var errBind = errors.New("a port was taken by another program")

// run starts the broker at its ports and waits until it answers. What does not answer is
// killed.
func (b *Broker) run(ctx context.Context) error {
	path := filepath.Join(b.folder, fileLog)
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := b.jvm.command("kafka.Kafka", filepath.Join(b.folder, fileProperties))
	cmd.Stdout, cmd.Stderr = log, log
	if b.process, err = launch(cmd); err != nil {
		b.process = nil
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := awaitReady(ctx, b.Addr(), b.process.done); err != nil {
		b.Kill()
		return b.explain(err, begin)
	}
	return nil
}

// explain adds what the broker has logged since it was started.
func (b *Broker) explain(err error, since int64) error {
	path := filepath.Join(b.folder, fileLog)
	text, readErr := os.ReadFile(path)
	if readErr != nil {
		return fmt.Errorf("%w; its log: %w", err, readErr)
	}
	text = text[min(since, int64(len(text))):]
	if bytes.Contains(text, []byte("Address already in use")) {
		err = fmt.Errorf("%w: %w", errBind, err)
	}
	return fmt.Errorf("the broker does not answer: %w; the end of its log, %s:\n%s", err, path, lastLines(text))
}

// lastLines gives the end of a log, without stack traces.
func lastLines(text []byte) string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "at ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-15):], "")
}

// Addr is where it listens for everybody, host:port.
func (b *Broker) Addr() string { return address(b.at.plain) }

// SecureAddr is where it listens with TLS, host:port, if Options.Secure says so.
func (b *Broker) SecureAddr() string { return address(b.at.secure) }

// CAs is who has signed the certificate at SecureAddr.
func (b *Broker) CAs() *x509.CertPool { return b.authority.pool() }

// TLS is for clients that come to SecureAddr without a certificate.
func (b *Broker) TLS() *tls.Config { return &tls.Config{RootCAs: b.CAs()} }

// TLSAs is for clients that show a certificate there: Secure.Mutual. Unless they log in as
// well, the broker knows them as User:CN=name.
func (b *Broker) TLSAs(name string) (*tls.Config, error) {
	c, err := b.authority.client(name)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %q: %w", name, err)
	}
	return &tls.Config{RootCAs: b.CAs(), Certificates: []tls.Certificate{c}}, nil
}

// Kill is kill -9, and waits until the broker is gone. Its data stay for Restart. It
// does nothing when the broker does not run.
func (b *Broker) Kill() {
	if b.process != nil {
		b.process.kill()
		b.process = nil
	}
}

// Restart runs a broker that was killed again, at the same addresses and with the data
// that it had, and returns when it answers; ctx bounds only that. After Kill that takes as
// long as its session lasts, some seconds.
func (b *Broker) Restart(ctx context.Context) error {
	if b.process != nil && !b.process.ended() {
		return errors.New("kafkatest.Restart: the broker runs; Kill it first")
	}
	if err := b.run(ctx); err != nil {
		return fmt.Errorf("kafkatest.Restart, Kafka %s: %w", b.options.Version, err)
	}
	return nil
}

// Stop ends the broker as its operator would, kills it when that takes longer than ctx,
// and removes a temporary folder. That it had to be killed, or had ended by itself, is an
// error.
func (b *Broker) Stop(ctx context.Context) error {
	err := b.terminate(ctx)
	if b.temporary && err == nil {
		err = os.RemoveAll(b.folder)
	}
	if err != nil {
		return fmt.Errorf("kafkatest.Stop, Kafka %s: %w", b.options.Version, err)
	}
	return nil
}

func (b *Broker) terminate(ctx context.Context) error {
	p := b.process
	if p == nil {
		return nil
	}
	b.process = nil
	if p.ended() {
		return b.explain(fmt.Errorf("it has ended by itself (%v)", p.err), 0)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done: // the status says that there was a signal
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("it did not end, and was killed: %w", context.Cause(ctx))
	}
}
