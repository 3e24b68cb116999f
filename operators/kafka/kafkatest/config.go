package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What lies in a broker's folder.
const (
	fileProperties = "server.properties"
	fileLogging    = "log.properties"
	fileLog        = "broker.log"
	folderData     = "data"
	fileFormatted  = folderData + "/meta.properties" // StorageTool's
)

// ports of a broker, all of the loopback interface.
type ports struct{ plain, controller, secure int }

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// properties gives all of server.properties.
func (o Options) properties(at ports, folder string) map[string]string {
	all := map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "controller.quorum.voters": "1@" + address(at.controller),
		"listeners":                      "PLAIN://" + address(at.plain) + ",CONTROLLER://" + address(at.controller),
		"advertised.listeners":           "PLAIN://" + address(at.plain),
		"listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.listener.names":      "CONTROLLER", "inter.broker.listener.name": "PLAIN",
		"log.dirs": filepath.Join(folder, folderData),
	}
	maps.Copy(all, alone)
	maps.Copy(all, quick)
	if o.Secure != nil {
		o.Secure.addTo(all, at.secure, folder)
	}
	maps.Copy(all, o.Properties)
	return all
}

// alone is what a broker needs that has no others beside it.
var alone = map[string]string{
	"offsets.topic.replication.factor":         "1",
	"offsets.topic.num.partitions":             "4",
	"transaction.state.log.replication.factor": "1",
	"transaction.state.log.min.isr":            "1",
	"transaction.state.log.num.partitions":     "4",
	"log.retention.ms":                         "-1",    // records of a test may be of any time
	"auto.create.topics.enable":                "false", // a test that misspells a topic is to hear of it
}

// quick is what has a test wait less: for a new incarnation of a broker, which cannot
// register before the session of the old one has ended, for groups, and for transactions
// that are out of time, which may be as long as a test likes.
var quick = map[string]string{
	"broker.session.timeout.ms":                                   "3000",
	"broker.heartbeat.interval.ms":                                "500",
	"group.initial.rebalance.delay.ms":                            "0",
	"transaction.max.timeout.ms":                                  "3600000",
	"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}

// encode gives a map as a file of Java properties.
func encode(all map[string]string) []byte {
	var text strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", key, escape.Replace(all[key]))
	}
	return []byte(text.String())
}

// logged is how a broker logs: what it warns of, to its standard output. Without a
// configuration it would say nothing at all.
func logged(version string) map[string]string {
	const pattern = "%d{ISO8601} %p %m (%c{1})%n"
	if isThree(version) {
		return map[string]string{
			"log4j.rootLogger": "WARN, all", "log4j.appender.all": "org.apache.log4j.ConsoleAppender",
			"log4j.appender.all.layout": "org.apache.log4j.PatternLayout", "log4j.appender.all.layout.ConversionPattern": pattern,
		}
	}
	return map[string]string{
		"rootLogger.level": "WARN", "rootLogger.appenderRef.all.ref": "all",
		"appender.all.type": "Console", "appender.all.name": "all", "appender.all.layout.type": "PatternLayout", "appender.all.layout.pattern": pattern,
	}
}

// configure writes the files that a broker reads.
func (o Options) configure(at ports, folder string) error {
	if err := os.WriteFile(filepath.Join(folder, fileLogging), encode(logged(o.Version)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, fileProperties), encode(o.properties(at, folder)), 0o600)
}
